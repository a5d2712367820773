#include "tests/kernels/rope_case.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "codegen/canonical.h"
#include "codegen/ops/rope.h"
#include "tests/kernels/rope_launch.h"
#include "tests/reference/rounding.h"
#include "tests/support/kernel_report.h"

namespace lathe::tests {

using reference::Bounds;
using reference::RopeAngle;

bool RopeLaunch::token_exists(Index token) const {
  return test_.spec.positions != RopePositions::ragged || token < starts_.back();
}

std::vector<std::int64_t> RopeLaunch::positions_of(Index token) const {
  if (test_.spec.positions == RopePositions::offset) return {test_.offset + token};
  std::vector<std::int64_t> positions;
  const std::size_t count = std::max<std::size_t>(1, test_.spec.sections.size());
  for (std::size_t i = 0; i < count; ++i)
    positions.push_back(
        positions_[i * static_cast<std::size_t>(test_.tokens) + static_cast<std::size_t>(token)]);
  return positions;
}

std::vector<RopeAngle> RopeLaunch::angles_of(Index token) const {
  const std::vector<std::int64_t> positions = positions_of(token);
  if (!test_.spec.table_dtype) return reference::rope_angles(test_.spec, positions);
  std::vector<RopeAngle> angles;
  for (std::int64_t pair = 0; pair < test_.spec.rotary_dim / 2; ++pair) {
    const std::int64_t row = positions[reference::rope_section(test_.spec, pair)];
    if (row < 0 || row >= test_.table_rows) {
      angles.push_back({std::nan(""), std::nan("")});
      continue;
    }
    const auto at = static_cast<std::size_t>(row * table_stride_ + pair);
    angles.push_back({sin_->before.at(sin_begin_ + at), cos_->before.at(at)});
  }
  return angles;
}

std::vector<double> RopeLaunch::row_of(const RopeTensorCase& tensor, Index token, Index head) const {
  std::vector<double> values;
  const std::size_t begin = tensor.at(token, 0, head);
  for (std::size_t i = 0; i < static_cast<std::size_t>(tensor.tensor.dim); ++i)
    values.push_back(tensor.storage->before.at(begin + i));
  return values;
}

void RopeLaunch::expect_row(const char* out, const char* cache, Index token, Index head, double scale,
                            const std::vector<Bounds>& values) {
  const auto expect = [&](const RopeTensorCase& to, std::size_t begin) {
    for (std::size_t i = 0; i < values.size(); ++i)
      to.storage->expected[begin + i] = reference::rope_result(test_.spec, to.tensor.dtype, scale, values[i]);
  };
  if (const auto to = tensors_.find(out); to != tensors_.end())
    expect(to->second, to->second.at(token, 0, head));
  const auto to = tensors_.find(cache);
  const std::int64_t place = places_.empty() ? -1 : places_[static_cast<std::size_t>(token)];
  if (to == tensors_.end() || place < 0) return;
  expect(to->second, to->second.at(place / test_.spec.page_size, place % test_.spec.page_size, head));
}

void RopeLaunch::expect_token(Index token) {
  struct Part {
    const char *from, *out, *cache;
    bool is_rotated;
    double scale;
    const std::shared_ptr<RopeStorage>* weight;
  };
  const Part parts[] = {{"q", "q_out", "", true, test_.q_scale, &q_weight_},
                        {"k", "k_out", "k_cache", true, test_.k_scale, &k_weight_},
                        {"q_nope", "q_nope_out", "", false, test_.q_scale, nullptr},
                        {"k_nope", "k_nope_out", "k_nope_cache", false, test_.k_scale, nullptr},
                        {"v", "", "v_cache", false, test_.v_scale, nullptr}};
  const std::vector<RopeAngle> angles = angles_of(token);
  for (const Part& part : parts) {
    const auto from = tensors_.find(part.from);
    if (from == tensors_.end()) continue;
    std::vector<double> weight;
    if (part.weight != nullptr && *part.weight) {
      for (std::size_t i = 0; i < (*part.weight)->before.count(); ++i)
        weight.push_back((*part.weight)->before.at(i));
    }
    for (Index head = 0; head < from->second.tensor.heads; ++head) {
      const std::vector<double> x = row_of(from->second, token, head);
      std::vector<Bounds> values;
      if (part.is_rotated) {
        values = reference::rope_row(test_.spec, x, weight, test_.epsilon, angles);
      } else {
        for (const double value : x) values.push_back({value, value});
      }
      expect_row(part.out, part.cache, token, head, part.scale, values);
    }
  }
}

namespace {

bool within(double value, Bounds bounds) {
  if (std::isnan(bounds.low) || std::isnan(bounds.high)) return std::isnan(value);
  return value >= bounds.low && value <= bounds.high;
}

std::string first_difference(const std::string& name, RopeStorage& storage) {
  HostTensor now = storage.before;
  now.bytes() = storage.device.download();
  const std::size_t size = now.element_bytes();
  for (std::size_t i = 0; i < now.count(); ++i) {
    const auto& expected = storage.expected[i];
    if (!expected &&
        std::memcmp(now.bytes().data() + i * size, storage.before.bytes().data() + i * size, size) != 0) {
      return fmt::format("{}: element {} was written, which nothing belongs to", name, i);
    }
    if (expected && !within(now.at(i), *expected)) {
      return fmt::format("{}: element {} is {}, expected {} to {}", name, i, now.at(i), expected->low,
                         expected->high);
    }
  }
  return {};
}

}  // namespace

std::string RopeLaunch::compare() {
  for (auto& [name, t] : tensors_) {
    std::string wrong = first_difference(name, *t.storage);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

std::string run_rope(Runtime& runtime, const RopeCase& given) {
  auto kernel = runtime.get(given.spec);
  if (!kernel) return kernel.error().text();
  RopeCase test = given;
  test.spec = std::get<RopeSpec>(kernel->spec());
  RopeLaunch launch(runtime, test);
  std::string wrong;
  if (auto queued = kernel->launch(launch.args(), {}); !queued) {
    wrong = queued.error().text();
  } else if (auto done = runtime.synchronize({}); !done) {
    wrong = done.error().text();
  } else {
    wrong = launch.compare();
  }
  report_kernel(test.spec, runtime.target(), wrong.empty());
  return wrong.empty() ? wrong : fmt::format("{}: {}", codegen::canonical_text(kernel->spec()), wrong);
}

}  // namespace lathe::tests
