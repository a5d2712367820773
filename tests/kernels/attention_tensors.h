// The tensors of one attention launch: values on the host, strides, and what the device gets.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "tests/kernels/attention_case.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/host_tensor.h"

namespace lathe::tests {

/// Where the elements of [outer, token, head, dim] lie.
struct AttentionLayout {
  Index begin = 0;
  Index outer_stride = 0;
  Index token_stride = 0;
  Index head_stride = 0;

  std::size_t at(Index outer, Index token, Index head) const {
    return static_cast<std::size_t>(begin + outer * outer_stride + token * token_stride + head * head_stride);
  }
};

/// Host values, as they were before the launch, and their copy on the device.
struct AttentionTensor {
  /// `offset`: bytes from an address that is a multiple of 256.
  AttentionTensor(Runtime& runtime, HostTensor values, std::size_t offset = 0)
      : before(std::move(values)), device(runtime, before.bytes().size(), offset) {
    device.upload(before.bytes().data());
  }
  HostTensor now() const {
    HostTensor tensor = before;
    tensor.bytes() = device.download();
    return tensor;
  }

  HostTensor before;
  GuardedBuffer device;
};

class AttentionTensors {
 public:
  AttentionTensors(Runtime& runtime, const AttentionCase& test);

  AttentionBatch batch() const;
  /// Fewer keys of each request than it was made with; the others stay where they are, and count no more.
  void shorten(std::vector<std::int64_t> kv_lengths) { kv_lengths_ = std::move(kv_lengths); }
  /// All but what comes from the plan.
  AttentionArgs args() const;

  // For the reference.
  std::vector<double> query(std::size_t request, Index query, Index head) const;
  std::vector<double> key(std::size_t request, Index key, Index kv_head) const;
  std::vector<double> value(std::size_t request, Index key, Index kv_head) const;
  bool is_unmasked(std::size_t request, Index query, Index key) const;
  double slope(Index head) const { return slopes_ ? slopes_->before.at(static_cast<std::size_t>(head)) : 0; }
  double sink(Index head) const { return sinks_->before.at(static_cast<std::size_t>(head)); }
  Index token(std::size_t request, Index query) const { return query_indptr_[request] + query; }

  AttentionLayout o_layout;
  std::shared_ptr<AttentionTensor> o, lse;

 private:
  struct Place {
    Index outer;
    Index token;
  };
  using Tensor = std::shared_ptr<AttentionTensor>;

  void lay_out_keys();
  AttentionLayout kv_layout(Index heads, Index dim, Index number) const;
  Place place_of(std::size_t request, Index key) const;
  void fill(HostTensor& tensor, const AttentionLayout& layout, Index heads, Index dim, double size,
            double mean);
  void make_queries(Runtime& runtime);
  void make_keys(Runtime& runtime);
  void make_mask(Runtime& runtime);
  void make_extras(Runtime& runtime);
  Tensor random(Runtime& runtime, std::size_t count, double size, double mean = 0);
  /// Of q, k, v or o: at an address that is no better aligned than the spec says.
  Tensor placed(Runtime& runtime, HostTensor values) const;
  std::vector<double> elements(const AttentionTensor& tensor, std::size_t begin, Index count,
                               double scale) const;

  const AttentionCase& test_;
  const AttentionSpec& spec_;
  Index key_dim_;
  DType stored_;
  std::mt19937 random_;
  std::vector<std::int64_t> query_indptr_, kv_lengths_, kv_indptr_, pages_;
  Index outers_ = 1, tokens_ = 0;
  AttentionLayout q_layout_, q_rest_layout_, k_layout_, k_rest_layout_, v_layout_;
  Tensor q_, q_rest_, k_, k_rest_, v_, page_indices_, mask_, slopes_, sinks_, k_scale_, v_scale_, hook_data_;
};

}  // namespace lathe::tests
