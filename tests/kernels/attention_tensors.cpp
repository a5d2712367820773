#include "tests/kernels/attention_tensors.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace lathe::tests {

namespace {

/// Tokens between the requests of ragged keys, and pages that are nobody's.
constexpr Index kGap = 3;

Index pages_of(const AttentionSpec& spec, Index keys) {
  return (keys + spec.page_size - 1) / spec.page_size;
}

/// Bytes as they are.
HostTensor from_bytes(const void* data, std::size_t bytes) {
  HostTensor tensor(u8, bytes);
  if (bytes != 0) std::memcpy(tensor.bytes().data(), data, bytes);
  return tensor;
}

}  // namespace

AttentionTensors::AttentionTensors(Runtime& runtime, const AttentionCase& test)
    : test_(test),
      spec_(test.spec),
      key_dim_(test.spec.head_dim - test.spec.rest_dim),
      stored_(test.spec.kv_dtype.value_or(test.spec.dtype)),
      random_(test.seed) {
  lay_out_keys();
  make_queries(runtime);
  make_keys(runtime);
  make_extras(runtime);
}

void AttentionTensors::lay_out_keys() {
  Index place = 0;
  Index longest = 0;
  query_indptr_ = {0};
  for (const AttentionLengths& lengths : test_.requests) {
    query_indptr_.push_back(query_indptr_.back() + lengths.queries);
    kv_lengths_.push_back(lengths.keys);
    kv_indptr_.push_back(place);
    place += spec_.storage == KvStorage::paged ? pages_of(spec_, lengths.keys) : lengths.keys + kGap;
    longest = std::max<Index>(longest, lengths.keys);
  }
  switch (spec_.storage) {
    case KvStorage::ragged:
      tokens_ = place;
      break;
    case KvStorage::contiguous:
      outers_ = static_cast<Index>(test_.requests.size());
      tokens_ = longest + kGap;
      break;
    case KvStorage::paged:
      outers_ = place + kGap;
      tokens_ = spec_.page_size;
      // Which page is whose is drawn; some are nobody's.
      pages_.resize(static_cast<std::size_t>(outers_));
      std::iota(pages_.begin(), pages_.end(), 0);
      std::shuffle(pages_.begin(), pages_.end(), random_);
      pages_.resize(static_cast<std::size_t>(place));
      kv_indptr_.push_back(place);
      break;
  }
}

AttentionTensors::Place AttentionTensors::place_of(std::size_t request, Index key) const {
  if (spec_.storage == KvStorage::contiguous) return {static_cast<Index>(request), key};
  if (spec_.storage == KvStorage::ragged) return {0, kv_indptr_[request] + key};
  const Index page = kv_indptr_[request] + key / spec_.page_size;
  return {pages_[static_cast<std::size_t>(page)], key % spec_.page_size};
}

/// Of the tensor of this number: padded ones all differ, so that no stride can stand in for another.
AttentionLayout AttentionTensors::kv_layout(Index heads, Index dim, Index number) const {
  const Index padding = test_.padding == 0 ? 0 : test_.padding + 16 * number;
  AttentionLayout layout;
  if (test_.heads_outside) {
    layout.token_stride = dim + padding;
    layout.head_stride = tokens_ * layout.token_stride + padding;
    layout.outer_stride = heads * layout.head_stride + padding;
  } else {
    layout.head_stride = dim + padding;
    layout.token_stride = heads * layout.head_stride + padding;
    layout.outer_stride = tokens_ * layout.token_stride + padding;
  }
  return layout;
}

void AttentionTensors::fill(HostTensor& tensor, const AttentionLayout& layout, Index heads, Index dim,
                            double size, double mean) {
  std::normal_distribution<double> normal;
  for (std::size_t r = 0; r < test_.requests.size(); ++r) {
    for (Index j = 0; j < kv_lengths_[r]; ++j) {
      const Place place = place_of(r, j);
      for (Index h = 0; h < heads; ++h) {
        const std::size_t begin = layout.at(place.outer, place.token, h);
        for (Index d = 0; d < dim; ++d)
          tensor.set(begin + static_cast<std::size_t>(d), normal(random_) * size + mean);
      }
    }
  }
}

AttentionTensors::Tensor AttentionTensors::random(Runtime& runtime, std::size_t count, double size,
                                                  double mean) {
  std::normal_distribution<double> normal;
  HostTensor tensor(f32, count);
  for (std::size_t i = 0; i < count; ++i) tensor.set(i, normal(random_) * size + mean);
  return std::make_shared<AttentionTensor>(runtime, std::move(tensor));
}

AttentionTensors::Tensor AttentionTensors::placed(Runtime& runtime, HostTensor values) const {
  const std::size_t offset = test_.is_barely_aligned
                                 ? std::max(static_cast<std::size_t>(spec_.alignment), values.element_bytes())
                                 : 0;
  return std::make_shared<AttentionTensor>(runtime, std::move(values), offset);
}

void AttentionTensors::make_queries(Runtime& runtime) {
  const Index tokens = query_indptr_.back();
  std::normal_distribution<double> normal;
  const auto layout_of = [&](Index dim, Index number) {
    const Index padding = test_.padding == 0 ? 0 : test_.padding + 16 * number;
    AttentionLayout layout;
    layout.head_stride = dim + padding;
    layout.token_stride = spec_.query_heads * layout.head_stride + padding;
    return layout;
  };
  const auto make = [&](const AttentionLayout& layout, Index dim) {
    HostTensor tensor =
        HostTensor::poisoned(spec_.dtype, static_cast<std::size_t>(tokens * layout.token_stride));
    for (Index t = 0; t < tokens; ++t) {
      for (Index h = 0; h < spec_.query_heads; ++h) {
        for (Index d = 0; d < dim; ++d)
          tensor.set(layout.at(0, t, h) + static_cast<std::size_t>(d),
                     normal(random_) * test_.query_size + test_.query_mean);
      }
    }
    return placed(runtime, std::move(tensor));
  };
  const Index value_dim = spec_.value_dim == 0 ? spec_.head_dim : spec_.value_dim;
  q_layout_ = layout_of(key_dim_, 0);
  q_ = make(q_layout_, key_dim_);
  if (spec_.rest_dim > 0) {
    q_rest_layout_ = layout_of(spec_.rest_dim, 1);
    q_rest_ = make(q_rest_layout_, spec_.rest_dim);
  }
  o_layout = layout_of(value_dim, 2);
  o = placed(runtime,
             HostTensor::poisoned(spec_.dtype, static_cast<std::size_t>(tokens * o_layout.token_stride)));
  if (spec_.store_lse) {
    lse = std::make_shared<AttentionTensor>(
        runtime, HostTensor::poisoned(f32, static_cast<std::size_t>(tokens * spec_.query_heads)));
  }
}

void AttentionTensors::make_keys(Runtime& runtime) {
  const Index value_dim = spec_.value_dim == 0 ? spec_.head_dim : spec_.value_dim;
  k_layout_ = kv_layout(spec_.kv_heads, key_dim_, 3);
  v_layout_ = kv_layout(spec_.kv_heads, value_dim, 4);
  const bool is_fused = test_.fused && !spec_.values_are_keys;
  if (is_fused) {
    // Of ragged keys token by token, of others page by page or request by request.
    if (spec_.storage == KvStorage::ragged && !test_.heads_outside) {
      v_layout_.begin = k_layout_.token_stride;
      k_layout_.token_stride = v_layout_.token_stride = k_layout_.token_stride + v_layout_.token_stride;
    } else {
      v_layout_.begin = k_layout_.outer_stride;
    }
    k_layout_.outer_stride = v_layout_.outer_stride = k_layout_.outer_stride + v_layout_.outer_stride;
  }
  const auto poisoned = [&](const AttentionLayout& layout) {
    return HostTensor::poisoned(stored_, static_cast<std::size_t>(outers_ * layout.outer_stride));
  };
  HostTensor keys = poisoned(k_layout_);
  fill(keys, k_layout_, spec_.kv_heads, key_dim_, test_.key_size, test_.key_mean);
  if (is_fused) fill(keys, v_layout_, spec_.kv_heads, value_dim, test_.value_size, test_.value_mean);
  k_ = placed(runtime, std::move(keys));
  if (spec_.values_are_keys) {
    v_layout_ = k_layout_;
    v_ = k_;
  } else if (is_fused) {
    v_ = k_;
  } else {
    HostTensor values = poisoned(v_layout_);
    fill(values, v_layout_, spec_.kv_heads, value_dim, test_.value_size, test_.value_mean);
    v_ = placed(runtime, std::move(values));
  }
  if (spec_.rest_dim > 0) {
    k_rest_layout_ = kv_layout(1, spec_.rest_dim, 5);
    HostTensor rest = poisoned(k_rest_layout_);
    fill(rest, k_rest_layout_, 1, spec_.rest_dim, 1, 0);
    k_rest_ = placed(runtime, std::move(rest));
  }
}

void AttentionTensors::make_mask(Runtime& runtime) {
  std::vector<std::byte> bits;
  for (const AttentionLengths& lengths : test_.requests) {
    const std::size_t begin = bits.size();
    // Bits behind a request's last are anything.
    for (Index i = 0; i < (lengths.queries * lengths.keys + 7) / 8; ++i)
      bits.push_back(static_cast<std::byte>(random_()));
    for (Index i = 0; test_.custom_mask && i < lengths.queries * lengths.keys; ++i) {
      const std::byte bit{static_cast<unsigned char>(1U << i % 8)};
      std::byte& byte = bits[begin + static_cast<std::size_t>(i / 8)];
      byte = test_.custom_mask(i / lengths.keys, i % lengths.keys) ? byte | bit : byte & ~bit;
    }
  }
  mask_ = std::make_shared<AttentionTensor>(runtime, from_bytes(bits.data(), bits.size()));
}

void AttentionTensors::make_extras(Runtime& runtime) {
  const auto heads = static_cast<std::size_t>(spec_.query_heads);
  if (spec_.storage == KvStorage::paged) {
    const std::vector<std::int32_t> narrow(pages_.begin(), pages_.end());
    page_indices_ = std::make_shared<AttentionTensor>(
        runtime, spec_.index_dtype == i64 ? from_bytes(pages_.data(), pages_.size() * 8)
                                          : from_bytes(narrow.data(), narrow.size() * 4));
  }
  if (spec_.mask == AttentionMask::custom) make_mask(runtime);
  if (spec_.has_alibi) slopes_ = random(runtime, heads, 0.1);
  if (spec_.has_sinks) sinks_ = random(runtime, heads, 2);
  if (!test_.hook_data.empty()) {
    const auto& data = test_.hook_data;
    hook_data_ = std::make_shared<AttentionTensor>(runtime, from_bytes(data.data(), data.size() * 4));
  }
  if (spec_.kv_scale != AttentionScale::none) {
    const auto count = spec_.kv_scale == AttentionScale::head ? static_cast<std::size_t>(spec_.kv_heads) : 1;
    k_scale_ = random(runtime, count, 0.2, 0.75);
    v_scale_ = random(runtime, count, 0.2, 1.5);
  }
}

AttentionBatch AttentionTensors::batch() const {
  return {.query_indptr = query_indptr_,
          .kv_lengths = kv_lengths_,
          .kv_indptr = kv_indptr_,
          .window_left = spec_.has_window ? test_.window_left : -1};
}

AttentionArgs AttentionTensors::args() const {
  const auto data = [](const Tensor& tensor) { return tensor ? tensor->device.data() : nullptr; };
  const auto shifted = [&](const Tensor& tensor, const AttentionLayout& layout) -> const void* {
    return static_cast<const std::byte*>(tensor->device.data()) +
           static_cast<std::size_t>(layout.begin) * tensor->before.element_bytes();
  };
  AttentionArgs args;
  args.q = data(q_);
  args.q_rest = data(q_rest_);
  args.k = data(k_);
  args.k_rest = data(k_rest_);
  if (!spec_.values_are_keys) args.v = shifted(v_, v_layout_);
  args.o = data(o);
  args.lse = static_cast<float*>(data(lse));
  args.page_indices = data(page_indices_);
  args.mask = static_cast<const unsigned char*>(data(mask_));
  args.alibi_slopes = static_cast<const float*>(data(slopes_));
  args.sinks = static_cast<const float*>(data(sinks_));
  args.k_scale = static_cast<const float*>(data(k_scale_));
  args.v_scale = static_cast<const float*>(data(v_scale_));
  args.hook_data = data(hook_data_);
  args.q_token_stride = q_layout_.token_stride;
  args.q_head_stride = q_layout_.head_stride;
  args.q_rest_token_stride = q_rest_layout_.token_stride;
  args.q_rest_head_stride = q_rest_layout_.head_stride;
  args.o_token_stride = o_layout.token_stride;
  args.o_head_stride = o_layout.head_stride;
  args.k_outer_stride = k_layout_.outer_stride;
  args.k_token_stride = k_layout_.token_stride;
  args.k_head_stride = k_layout_.head_stride;
  args.k_rest_outer_stride = k_rest_layout_.outer_stride;
  args.k_rest_token_stride = k_rest_layout_.token_stride;
  args.v_outer_stride = v_layout_.outer_stride;
  args.v_token_stride = v_layout_.token_stride;
  args.v_head_stride = v_layout_.head_stride;
  args.softmax_scale = test_.softmax_scale;
  args.soft_cap = test_.soft_cap;
  args.window_left = test_.window_left;
  return args;
}

std::vector<double> AttentionTensors::elements(const AttentionTensor& tensor, std::size_t begin, Index count,
                                               double scale) const {
  std::vector<double> values;
  for (Index d = 0; d < count; ++d)
    values.push_back(tensor.before.at(begin + static_cast<std::size_t>(d)) * scale);
  return values;
}

std::vector<double> AttentionTensors::query(std::size_t request, Index query, Index head) const {
  const Index at = token(request, query);
  std::vector<double> all = elements(*q_, q_layout_.at(0, at, head), key_dim_, 1);
  if (q_rest_) {
    const auto rest = elements(*q_rest_, q_rest_layout_.at(0, at, head), spec_.rest_dim, 1);
    all.insert(all.end(), rest.begin(), rest.end());
  }
  return all;
}

namespace {
double scale_of(const std::shared_ptr<AttentionTensor>& scales, Index head) {
  if (!scales) return 1;
  return scales->before.at(scales->before.count() == 1 ? 0 : static_cast<std::size_t>(head));
}
}  // namespace

std::vector<double> AttentionTensors::key(std::size_t request, Index key, Index kv_head) const {
  const Place place = place_of(request, key);
  const double scale = scale_of(k_scale_, kv_head);
  std::vector<double> all = elements(*k_, k_layout_.at(place.outer, place.token, kv_head), key_dim_, scale);
  if (k_rest_) {
    const auto rest =
        elements(*k_rest_, k_rest_layout_.at(place.outer, place.token, 0), spec_.rest_dim, scale);
    all.insert(all.end(), rest.begin(), rest.end());
  }
  return all;
}

std::vector<double> AttentionTensors::value(std::size_t request, Index key, Index kv_head) const {
  const Place place = place_of(request, key);
  const Index dim = spec_.value_dim == 0 ? spec_.head_dim : spec_.value_dim;
  return elements(*v_, v_layout_.at(place.outer, place.token, kv_head), dim, scale_of(v_scale_, kv_head));
}

bool AttentionTensors::is_unmasked(std::size_t request, Index query, Index key) const {
  if (!mask_) return true;
  std::size_t begin = 0;
  for (std::size_t r = 0; r < request; ++r)
    begin += static_cast<std::size_t>((test_.requests[r].queries * kv_lengths_[r] + 7) / 8);
  const auto bit = static_cast<std::size_t>(query * kv_lengths_[request] + key);
  return (std::to_integer<unsigned>(mask_->before.bytes()[begin + bit / 8]) >> (bit % 8) & 1U) != 0;
}

}  // namespace lathe::tests
