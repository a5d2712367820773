#include "tests/kernels/rope_launch.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include <fmt/format.h>

namespace lathe::tests {

using codegen::RopeTensor;
using Role = RopeTensor::Role;

namespace {

/// Enough for each token to have a page of its own or, with page tables, for each sequence to end within one
/// and to begin within another.
Index page_count(const RopeCase& test) {
  if (test.spec.append != RopeAppend::pages) return test.tokens + 3;
  const Index sequences = std::max<Index>(3, static_cast<Index>(test.lengths.size()));
  return test.tokens / test.spec.page_size + 2 * sequences + 3;
}

}  // namespace

RopeStorage::RopeStorage(Runtime& runtime, HostTensor values, int offset_elements)
    : before(std::move(values)),
      expected(before.count()),
      device(runtime, before.bytes().size(),
             static_cast<std::size_t>(offset_elements) * before.element_bytes()) {
  device.upload(before.bytes().data());
}

RopeLaunch::RopeLaunch(Runtime& runtime, const RopeCase& test) : test_(test), random_(test.seed) {
  for (const RopeTensor& tensor : codegen::rope_tensors(test.spec)) {
    if (tensor.exists) tensors_[std::string(tensor.name)].tensor = tensor;
  }
  make_inputs(runtime);
  make_results(runtime);
  make_indices(runtime);
  make_table(runtime);
  make_weights(runtime);
  fill_args();
  for (Index token = 0; token < test.tokens; ++token) {
    if (token_exists(token)) expect_token(token);
  }
}

std::shared_ptr<RopeStorage> RopeLaunch::storage_of(Runtime& runtime, DType dtype, std::size_t count,
                                                    bool poisoned) {
  HostTensor values = poisoned ? HostTensor::poisoned(dtype, count) : HostTensor(dtype, count);
  std::normal_distribution<double> normal;
  for (std::size_t i = 0; !poisoned && i < count; ++i) values.set(i, normal(random_));
  return std::make_shared<RopeStorage>(runtime, std::move(values), test_.offset_elements);
}

void RopeLaunch::make_inputs(Runtime& runtime) {
  Index number = 0;
  const Index tokens = std::max<Index>(test_.tokens, 1);
  if (test_.packed_qkv) {
    Index width = 0;
    for (auto& [name, t] : tensors_) {
      if (t.tensor.role == Role::input) width += t.tensor.heads * t.tensor.dim;
    }
    width += test_.padding;
    const auto storage =
        storage_of(runtime, test_.spec.dtype, static_cast<std::size_t>(width * tokens), false);
    Index begin = 0;
    for (auto& [name, t] : tensors_) {
      if (t.tensor.role != Role::input) continue;
      t.storage = storage;
      t.begin = static_cast<std::size_t>(begin);
      t.head_stride = t.tensor.dim;
      t.outer_stride = width;
      begin += t.tensor.heads * t.tensor.dim;
    }
    return;
  }
  for (auto& [name, t] : tensors_) {
    if (t.tensor.role != Role::input) continue;
    // All strides differ, so that none can stand in for another.
    const Index padding = test_.padding == 0 ? 0 : test_.padding + 16 * number++;
    if (test_.heads_outside) {
      t.outer_stride = t.tensor.dim + padding;
      t.head_stride = t.outer_stride * tokens + padding;
    } else {
      t.head_stride = t.tensor.dim + padding;
      t.outer_stride = t.head_stride * t.tensor.heads + padding;
    }
    const Index span = (tokens - 1) * t.outer_stride + (t.tensor.heads - 1) * t.head_stride + t.tensor.dim;
    t.storage = storage_of(runtime, t.tensor.dtype, static_cast<std::size_t>(span), false);
  }
}

void RopeLaunch::make_results(Runtime& runtime) {
  Index number = 5;
  const RopeSpec& spec = test_.spec;
  for (auto& [name, t] : tensors_) {
    if (t.tensor.role == Role::input) continue;
    if (test_.in_place && t.tensor.role == Role::output) {
      const RopeTensorCase& source = tensors_.at(name.substr(0, name.size() - 4));
      const RopeTensor tensor = t.tensor;
      t = source;
      t.tensor = tensor;
      continue;
    }
    const Index padding = test_.padding == 0 ? 0 : test_.padding + 16 * number++;
    const bool is_cache = t.tensor.role == Role::cache;
    Index inner = t.tensor.dim + padding;
    t.head_stride = inner;
    if (is_cache && test_.hnd) {
      t.entry_stride = inner;
      t.head_stride = inner * spec.page_size + padding;
      t.outer_stride = t.head_stride * t.tensor.heads + padding;
    } else {
      t.entry_stride = is_cache ? inner * t.tensor.heads + padding : 0;
      t.outer_stride = (is_cache ? t.entry_stride * spec.page_size : inner * t.tensor.heads) + padding;
    }
    const Index outer = is_cache ? page_count(test_) : std::max<Index>(test_.tokens, 1);
    t.storage = storage_of(runtime, t.tensor.dtype, static_cast<std::size_t>(outer * t.outer_stride), true);
  }
}

const void* RopeLaunch::upload_indices(Runtime& runtime, DType dtype,
                                       const std::vector<std::int64_t>& values) {
  std::vector<std::byte> bytes(values.size() * size_of(dtype));
  for (std::size_t i = 0; i < values.size(); ++i)
    std::memcpy(bytes.data() + i * size_of(dtype), &values[i], size_of(dtype));  // little-endian
  indices_.push_back(std::make_unique<GuardedBuffer>(runtime, bytes.size()));
  indices_.back()->upload(bytes.data());
  return indices_.back()->data();
}

void RopeLaunch::make_indices(Runtime& runtime) {
  const RopeSpec& spec = test_.spec;
  const auto count = static_cast<std::size_t>(test_.tokens);
  std::uniform_int_distribution<std::int64_t> below_300(0, 299);
  positions_ = test_.positions;
  if (positions_.empty()) {
    positions_.resize(count * std::max<std::size_t>(1, spec.sections.size()));
    for (std::int64_t& position : positions_) position = below_300(random_);
  }
  if (spec.positions == RopePositions::ids)
    args_.positions = upload_indices(runtime, spec.position_dtype, positions_);

  std::vector<Index> lengths = test_.lengths;
  std::vector<Index> offsets = test_.offsets;
  if (lengths.empty()) lengths = {test_.tokens / 3, 0, test_.tokens - test_.tokens / 3 - test_.tokens / 5};
  if (offsets.empty()) offsets = std::vector<Index>(lengths.size(), 7);
  starts_.assign(1, 0);
  for (const Index length : lengths) starts_.push_back(starts_.back() + length);
  args_.batch = static_cast<Index>(lengths.size());
  if (spec.positions == RopePositions::ragged) {
    args_.indptr = upload_indices(runtime, spec.position_dtype, {starts_.begin(), starts_.end()});
    args_.offsets = upload_indices(runtime, spec.position_dtype, {offsets.begin(), offsets.end()});
    for (Index token = 0; token < starts_.back(); ++token) {
      const auto sequence = static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), token) -
                                                     starts_.begin()) -
                            1;
      positions_[static_cast<std::size_t>(token)] = offsets[sequence] + token - starts_[sequence];
    }
  }
  if (spec.append == RopeAppend::none) return;

  // Pages in any order, some of which stay unused.
  const Index pages = page_count(test_);
  args_.pages = pages;
  std::vector<std::int64_t> order(static_cast<std::size_t>(pages));
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random_);
  places_.assign(count, -1);
  if (spec.append == RopeAppend::slots) {
    std::vector<std::int64_t> slots(count);
    for (std::size_t t = 0; t < count; ++t) {
      slots[t] = order[t] * spec.page_size +
                 static_cast<std::int64_t>(random_() % static_cast<unsigned>(spec.page_size));
      if (t % 4 == 1) slots[t] = t % 8 == 1 ? -1 : pages * spec.page_size + static_cast<std::int64_t>(t);
      if (t % 4 != 1) places_[t] = slots[t];
    }
    args_.slots = upload_indices(runtime, spec.slot_dtype, slots);
    return;
  }
  // Each sequence's tokens follow each other in its pages, from some number on.
  std::vector<std::int64_t> page_indptr{0}, page_indices, batch_indices(count, -1), numbers(count, 0);
  std::size_t next_page = 0;
  for (std::size_t s = 0; s + 1 < starts_.size(); ++s) {
    const Index first = static_cast<Index>(s) % spec.page_size;
    const Index used = first + starts_[s + 1] - starts_[s];
    for (Index page = 0; page * spec.page_size < used; ++page) page_indices.push_back(order[next_page++]);
    for (Index token = starts_[s]; token < starts_[s + 1]; ++token) {
      const auto t = static_cast<std::size_t>(token);
      numbers[t] = first + token - starts_[s];
      batch_indices[t] = static_cast<std::int64_t>(s);
      const auto page = static_cast<std::size_t>(page_indptr[s] + numbers[t] / spec.page_size);
      places_[t] = page_indices[page] * spec.page_size + numbers[t] % spec.page_size;
    }
    page_indptr.push_back(static_cast<std::int64_t>(page_indices.size()));
  }
  // One number beyond its sequence's pages, one sequence beyond the batch.
  if (count > 2) {
    numbers[0] = 1000 * spec.page_size;
    batch_indices[count - 1] = args_.batch;
    places_[0] = places_[count - 1] = -1;
    // And one so far beyond that adding to it would overflow.
    const auto last_begin = static_cast<std::size_t>(starts_[starts_.size() - 2]);
    numbers[last_begin] = spec.slot_dtype == i32 ? 0x7FFFFFFF : 0x7FFFFFFFFFFFFFFF;
    places_[last_begin] = -1;
  }
  args_.page_indptr = upload_indices(runtime, spec.slot_dtype, page_indptr);
  args_.page_indices = upload_indices(runtime, spec.slot_dtype, page_indices);
  args_.batch_indices = upload_indices(runtime, spec.slot_dtype, batch_indices);
  args_.cache_positions = upload_indices(runtime, spec.slot_dtype, numbers);
}

void RopeLaunch::make_table(Runtime& runtime) {
  const RopeSpec& spec = test_.spec;
  if (!spec.table_dtype) return;
  const Index pairs = spec.rotary_dim / 2;
  table_stride_ = test_.one_table ? 2 * pairs : pairs;
  const auto count = static_cast<std::size_t>(test_.table_rows * table_stride_);
  cos_ = storage_of(runtime, *spec.table_dtype, count, false);
  sin_ = test_.one_table ? cos_ : storage_of(runtime, *spec.table_dtype, count, false);
  sin_begin_ = test_.one_table ? static_cast<std::size_t>(pairs) : 0;
}

void RopeLaunch::make_weights(Runtime& runtime) {
  if (!test_.spec.qk_norm || !test_.spec.norm_has_weight) return;
  const auto count = static_cast<std::size_t>(test_.spec.head_dim);
  q_weight_ = storage_of(runtime, *test_.spec.norm_weight_dtype, count, false);
  k_weight_ = storage_of(runtime, *test_.spec.norm_weight_dtype, count, false);
}

void RopeLaunch::fill_args() {
  auto* const base = reinterpret_cast<std::byte*>(&args_);
  for (const auto& [name, t] : tensors_) {
    std::byte* const pointer =
        static_cast<std::byte*>(t.storage->device.data()) + t.begin * size_of(t.tensor.dtype);
    std::memcpy(base + t.tensor.pointer, &pointer, sizeof pointer);
    std::memcpy(base + t.tensor.outer.offset, &t.outer_stride, sizeof(Index));
    std::memcpy(base + t.tensor.head.offset, &t.head_stride, sizeof(Index));
    if (t.tensor.role == Role::cache)
      std::memcpy(base + t.tensor.entry.offset, &t.entry_stride, sizeof(Index));
  }
  const auto data = [](const std::shared_ptr<RopeStorage>& storage) {
    return storage ? storage->device.data() : nullptr;
  };
  args_.cos = data(cos_);
  if (sin_) args_.sin = static_cast<std::byte*>(data(sin_)) + sin_begin_ * sin_->before.element_bytes();
  args_.cos_row_stride = args_.sin_row_stride = table_stride_;
  args_.table_rows = test_.table_rows;
  args_.q_norm_weight = data(q_weight_);
  args_.k_norm_weight = data(k_weight_);
  args_.offset = test_.offset;
  args_.tokens = test_.tokens;
  args_.q_scale = test_.q_scale;
  args_.k_scale = test_.k_scale;
  args_.v_scale = test_.v_scale;
  args_.epsilon = test_.epsilon;
}

}  // namespace lathe::tests
