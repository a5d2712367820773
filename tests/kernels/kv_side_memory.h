// Memory of the views of one side of a kv move, on the device and for the reference.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "codegen/ops/kv_layout.h"
#include "tests/kernels/kv_case.h"
#include "tests/reference/rounding.h"
#include "tests/support/guarded_buffer.h"

namespace lathe::tests {

using Image = std::vector<std::byte>;

/// Bytes on the host and on the device.
struct Memory {
  Memory(Runtime& runtime, Image bytes, std::size_t misaligned = 0)
      : host(std::move(bytes)), device(runtime, host.size(), misaligned) {
    device.upload(host.data());
  }
  Image host;
  GuardedBuffer device;
};

inline void draw(DType dtype, std::mt19937& random, Image& image) {
  std::normal_distribution<double> normal;
  const std::size_t size = size_of(dtype);
  const bool is_number = dtype != u8 && dtype != i32 && dtype != i64;
  if (!is_number) {
    for (std::byte& byte : image) byte = static_cast<std::byte>(random());
    return;
  }
  for (std::size_t i = 0; i + size <= image.size(); i += size) {
    const double value = normal(random) * std::exp2(static_cast<double>(random() % 9) - 4);
    if (dtype == f32) {
      const auto narrow = static_cast<float>(value);
      std::memcpy(image.data() + i, &narrow, 4);
    } else {
      const std::uint16_t bits = reference::bits_of(dtype, value);
      std::memcpy(image.data() + i, &bits, size);
    }
  }
}

/// How elements that differ are judged.
struct Tolerance {
  bool has_nans = false;
  bool is_rotated = false;
};

/// Whether the element that a byte is part of is as good as the expected one.
inline bool is_as_good(const Tolerance& tolerance, DType dtype, const Image& now, const Image& expected,
                       std::size_t byte) {
  if (!tolerance.has_nans && !tolerance.is_rotated) return false;
  const DType type = dtype == u8 ? e4m3 : dtype;
  const std::size_t first = byte / size_of(type) * size_of(type);
  const auto value = [&](const Image& image) -> double {
    if (type == f32) {
      float number;
      std::memcpy(&number, image.data() + first, 4);
      return static_cast<double>(number);
    }
    std::uint16_t bits = 0;
    std::memcpy(&bits, image.data() + first, size_of(type));
    return reference::value_of(type, bits);
  };
  const double a = value(now);
  const double b = value(expected);
  if (tolerance.has_nans && std::isnan(a) && std::isnan(b)) return true;
  // Two products may cancel; values drawn are below 2^7.
  const double room = 2 * reference::spacing(f32, 128.0) + (type == f32 ? 0 : reference::spacing(type, b));
  return tolerance.is_rotated && std::abs(a - b) <= room;
}

/// The memory of one side's views, and the arguments that name it: on the device, and for the reference.
template <class Pointer>
class SideMemory {
 public:
  SideMemory(Runtime& runtime, const std::vector<KvView>& views,
             const std::array<KvMemory, kMaxKvViews>& given, std::mt19937& random)
      : views_(views), given_(given) {
    for (std::size_t v = 0; v < views.size(); ++v) {
      if (views[v].base == KvBase::shared) {
        pools_.push_back(nullptr);
        tables_.push_back(nullptr);
        continue;
      }
      Image image(static_cast<std::size_t>(pool_bytes(v)));
      draw(views[v].dtype, random, image);
      if (!given[v].image.empty()) std::copy(given[v].image.begin(), given[v].image.end(), image.begin());
      pools_.push_back(
          std::make_unique<Memory>(runtime, std::move(image), static_cast<std::size_t>(given[v].misaligned)));
      tables_.push_back(nullptr);
      if (views[v].base != KvBase::single && views[v].pointers == 0 && !given[v].distant) {
        Image table(static_cast<std::size_t>(entries(v)) * sizeof(void*));
        for (Index i = 0; i < entries(v); ++i) {
          const void* to = static_cast<const std::byte*>(pools_[v]->device.data()) + entry_offset(v, i);
          std::memcpy(table.data() + static_cast<std::size_t>(i) * sizeof to, &to, sizeof to);
        }
        tables_.back() = std::make_unique<Memory>(runtime, std::move(table));
      }
      for (Index i = 0; i < entries(v); ++i)
        host_tables_[v].push_back(pools_[v]->host.data() + entry_offset(v, i));
    }
  }

  void fill(KvViewArgs<Pointer>* args, Pointer* pointers, bool on_device) const {
    for (std::size_t v = 0; v < views_.size(); ++v) {
      const KvMemory& given = given_[v];
      args[v] = {.blocks = given.blocks, .last_slots = given.last_slots};
      args[v].layer_step = given.layer_step;
      args[v].plane_step = given.plane_step;
      args[v].block_step = given.block_step;
      args[v].slot_step = given.slot_step;
      args[v].head_step = given.head_step;
      args[v].piece_step = given.piece_step;
      if (pools_[v] == nullptr) continue;
      std::byte* const base =
          on_device ? static_cast<std::byte*>(pools_[v]->device.data()) : pools_[v]->host.data();
      if (views_[v].base == KvBase::single || (on_device && given.distant)) {
        args[v].base = base;
        if (views_[v].base != KvBase::single) args[v].table_step = entry_step(v);
      } else if (views_[v].pointers > 0) {
        for (Index i = 0; i < entries(v); ++i) pointers[i] = base + entry_offset(v, i);
      } else if (on_device) {
        args[v].table = static_cast<const Pointer*>(tables_[v]->device.data());
      } else {
        args[v].table = host_tables_[v].data();
      }
    }
  }

  /// The first byte that differs between device and host, or nothing.
  std::string difference(const char* side, const Tolerance& tolerance) const {
    for (std::size_t v = 0; v < views_.size(); ++v) {
      if (pools_[v] == nullptr) continue;
      const Image now = pools_[v]->device.download();
      const Image& expected = pools_[v]->host;
      for (std::size_t i = 0; i < now.size(); ++i) {
        if (now[i] == expected[i]) continue;
        if (is_as_good(tolerance, views_[v].dtype, now, expected, i)) continue;
        return fmt::format("{}[{}] byte {} of {} is {:#04x}, expected {:#04x}", side, v, i, now.size(),
                           std::to_integer<int>(now[i]), std::to_integer<int>(expected[i]));
      }
    }
    return {};
  }

  const Image& host(std::size_t view) const { return pools_[view]->host; }

 private:
  static constexpr Index kGap = 256;

  Index entries(std::size_t v) const {
    const KvView& view = views_[v];
    switch (view.base) {
      case KvBase::layer:
        return view.layers;
      case KvBase::plane_layer:
        return view.layers * view.planes;
      case KvBase::chunk:
        return given_[v].blocks;
      case KvBase::chunk_layer:
        return given_[v].blocks * view.layers;
      case KvBase::single:
      case KvBase::shared:
        break;
    }
    return 1;
  }
  /// Of one entry, all views that share it included.
  Index entry_bytes(std::size_t v) const {
    Index most = 0;
    for (std::size_t other = v; other < views_.size(); ++other) {
      if (other != v && (v != 0 || views_[other].base != KvBase::shared)) continue;
      const KvMemory& g = given_[other];
      const codegen::KvGivenSteps steps{.steps = {.layer = g.layer_step,
                                                  .plane = g.plane_step,
                                                  .block = g.block_step,
                                                  .slot = g.slot_step,
                                                  .head = g.head_step,
                                                  .piece = g.piece_step},
                                        .blocks = g.blocks};
      most =
          std::max(most, views_[other].offset +
                             codegen::steps_of(views_[other], codegen::base_of(views_, other), steps).bytes);
    }
    return most;
  }
  Index entry_step(std::size_t v) const { return (entry_bytes(v) + 255) / 256 * 256 + kGap; }
  /// Tables name entries in no order.
  Index entry_offset(std::size_t v, Index entry) const {
    const Index count = entries(v);
    return entry_step(v) * (given_[v].distant ? entry : (count - 1 - entry));
  }
  Index pool_bytes(std::size_t v) const { return entry_step(v) * (entries(v) - 1) + entry_bytes(v); }

  const std::vector<KvView>& views_;
  const std::array<KvMemory, kMaxKvViews>& given_;
  std::vector<std::unique_ptr<Memory>> pools_{};
  std::vector<std::unique_ptr<Memory>> tables_{};
  std::array<std::vector<Pointer>, kMaxKvViews> host_tables_{};
};

}  // namespace lathe::tests
