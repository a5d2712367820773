// attention_merge on every device at hand, against double precision.
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tests/reference/attention.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/host_tensor.h"
#include "tests/support/kernel_report.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();

struct MergeCase {
  AttentionMergeSpec spec;
  std::vector<Index> parts;  ///< of each token
  bool in_place = false;
};

/// Partial results; those with an lse of -infinity hold NaN.
class Merge {
 public:
  Merge(Runtime& runtime, const MergeCase& test) : test_(test), spec_(test.spec), runtime_(&runtime) {
    for (const Index count : test.parts) first_.push_back(first_.back() + count);
    const std::size_t rows = static_cast<std::size_t>(first_.back()) * heads();
    o_ = HostTensor::poisoned(spec_.part_dtype.value_or(spec_.dtype), rows * dim());
    lse_ = HostTensor(f32, rows);
    std::normal_distribution<double> normal;
    for (std::size_t row = 0; row < rows; ++row) {
      const bool is_nothing = random_() % 5 == 0;
      lse_.set(row, is_nothing ? kNothing : normal(random_) * 8);
      for (std::size_t d = 0; d < dim() && !is_nothing; ++d) o_.set(row * dim() + d, normal(random_));
    }
  }

  std::string run() {
    const std::size_t rows = test_.parts.size() * heads();
    HostTensor o = HostTensor::poisoned(spec_.dtype, rows * dim());
    HostTensor lse = HostTensor::poisoned(f32, rows);
    std::vector<unsigned char> mask(test_.parts.size());
    for (std::size_t t = 0; t < mask.size(); ++t)
      mask[t] = spec_.has_mask ? static_cast<unsigned char>(t % 3) : 1;

    // Two parts lie in two tensors.
    const bool is_two = spec_.form == MergeForm::two;
    HostTensor o_first = is_two ? every_other(o_, dim(), 0) : o_;
    HostTensor lse_first = is_two ? every_other(lse_, 1, 0) : lse_;
    HostTensor o_second = is_two ? every_other(o_, dim(), 1) : HostTensor(f32, 0);
    HostTensor lse_second = is_two ? every_other(lse_, 1, 1) : HostTensor(f32, 0);
    const std::vector<std::int32_t> narrow(first_.begin(), first_.end());
    GuardedBuffer parts = upload(o_first.bytes());
    GuardedBuffer part_lse = upload(lse_first.bytes());
    GuardedBuffer other = upload(o_second.bytes());
    GuardedBuffer other_lse = upload(lse_second.bytes());
    GuardedBuffer indptr = spec_.index_dtype == i64 ? upload(first_) : upload(narrow);
    GuardedBuffer masks = upload(mask);
    GuardedBuffer result = upload(o.bytes());
    GuardedBuffer result_lse = upload(lse.bytes());

    AttentionMergeArgs args;
    args.o_parts = parts.data();
    args.lse_parts = static_cast<const float*>(part_lse.data());
    args.o_other = other.data();
    args.lse_other = static_cast<const float*>(other_lse.data());
    args.indptr = indptr.data();
    args.mask = static_cast<const unsigned char*>(masks.data());
    args.o = test_.in_place ? parts.data() : result.data();
    args.lse = static_cast<float*>(test_.in_place ? part_lse.data() : result_lse.data());
    args.tokens = static_cast<Index>(test_.parts.size());
    args.parts = test_.parts.empty() ? 1 : test_.parts.front();
    const auto kernel = runtime_->get(spec_);
    if (!kernel) return kernel.error().text();
    if (auto queued = kernel->launch(args, {}); !queued) return queued.error().text();
    if (auto done = runtime_->synchronize({}); !done) return done.error().text();
    o.bytes() = (test_.in_place ? parts : result).download();
    lse.bytes() = (test_.in_place ? part_lse : result_lse).download();
    return compare(o, lse, mask);
  }

 private:
  std::size_t heads() const { return static_cast<std::size_t>(spec_.heads); }
  std::size_t dim() const { return static_cast<std::size_t>(spec_.value_dim); }

  template <class Bytes>
  GuardedBuffer upload(const Bytes& bytes) {
    GuardedBuffer buffer(*runtime_, bytes.size() * sizeof(bytes[0]));
    buffer.upload(bytes.data());
    return buffer;
  }

  /// Part 0 or 1 of each token, where each has two.
  HostTensor every_other(const HostTensor& tensor, std::size_t per_row, std::size_t part) const {
    const std::size_t block = heads() * per_row * tensor.element_bytes();
    HostTensor taken(tensor.dtype(), tensor.count() / 2);
    for (std::size_t t = 0; t < test_.parts.size(); ++t) {
      std::copy_n(tensor.bytes().begin() + static_cast<std::ptrdiff_t>((2 * t + part) * block), block,
                  taken.bytes().begin() + static_cast<std::ptrdiff_t>(t * block));
    }
    return taken;
  }

  std::string compare(const HostTensor& o, const HostTensor& lse,
                      const std::vector<unsigned char>& mask) const {
    const double half_ulp = spec_.dtype == f32 ? 0x1p-22 : spec_.dtype == f16 ? 0x1p-11 : 0x1p-8;
    for (std::size_t token = 0; token < test_.parts.size(); ++token) {
      for (std::size_t head = 0; head < heads(); ++head) {
        std::vector<reference::AttentionRow> parts{
            {.o = std::vector<double>(dim()), .magnitude = std::vector<double>(dim()), .lse = kNothing}};
        const Index count = mask[token] == 0 ? 1 : test_.parts[token];
        for (Index i = 0; i < count; ++i) {
          const std::size_t row = static_cast<std::size_t>(first_[token] + i) * heads() + head;
          if (lse_.at(row) == kNothing) continue;
          parts.push_back({.o = {}, .magnitude = {}, .lse = lse_.at(row)});
          for (std::size_t d = 0; d < dim(); ++d) {
            parts.back().o.push_back(o_.at(row * dim() + d));
            parts.back().magnitude.push_back(std::abs(o_.at(row * dim() + d)));
          }
        }
        const auto expected = reference::merge_rows(parts);
        const std::size_t row = token * heads() + head;
        for (std::size_t d = 0; d < dim(); ++d) {
          const double value = o.at(row * dim() + d);
          const double room = std::abs(expected.o[d]) * half_ulp + expected.magnitude[d] * 0x1p-20 + 0x1p-25;
          if (!(std::abs(value - expected.o[d]) <= room))
            return fmt::format("o[{}, {}, {}] is {}, expected {}", token, head, d, value, expected.o[d]);
        }
        const double found = lse.at(row);
        if (!spec_.store_lse) {
          if (!test_.in_place && !std::isnan(found)) return "lse was written";
        } else if (!(found == expected.lse || std::abs(found - expected.lse) <= 1e-5)) {
          return fmt::format("lse[{}, {}] is {}, expected {}", token, head, found, expected.lse);
        }
      }
    }
    return {};
  }

  const MergeCase& test_;
  const AttentionMergeSpec& spec_;
  Runtime* runtime_;
  std::mt19937 random_{7};
  std::vector<std::int64_t> first_{0};
  HostTensor o_{f32, 0}, lse_{f32, 0};
};

void check(Runtime& runtime, const MergeCase& test) {
  const std::string wrong = Merge(runtime, test).run();
  report_kernel(test.spec, runtime.target(), wrong.empty());
  INFO(test.spec.heads << " heads of " << test.spec.value_dim);
  CHECK(wrong == "");
}

const DType kDTypes[] = {f32, f16, bf16};

}  // namespace

TEST_CASE("attention_merge: two parts, in place and not, with a mask and without") {
  on_every_target([](Runtime& runtime) {
    for (const DType dtype : kDTypes) {
      for (const bool in_place : {false, true}) {
        for (const bool has_mask : {false, true}) {
          for (const std::int64_t dim : {1, 40, 128, 512}) {
            check(runtime, {.spec = {.heads = 3, .value_dim = dim, .dtype = dtype, .has_mask = has_mask},
                            .parts = std::vector<Index>(11, 2),
                            .in_place = in_place});
          }
        }
      }
    }
  });
}

TEST_CASE("attention_merge: any number of parts") {
  on_every_target([](Runtime& runtime) {
    for (const DType part : kDTypes) {
      for (const Index count : {1, 2, 3, 100}) {
        check(runtime, {.spec = {.heads = 2,
                                 .value_dim = 72,
                                 .form = MergeForm::stacked,
                                 .dtype = bf16,
                                 .part_dtype = part,
                                 .store_lse = count != 3},
                        .parts = std::vector<Index>(5, count)});
      }
      for (const DType index : {i32, i64}) {
        check(runtime, {.spec = {.heads = 5,
                                 .value_dim = 128,
                                 .form = MergeForm::ragged,
                                 .dtype = part,
                                 .part_dtype = f32,
                                 .index_dtype = index},
                        .parts = {3, 0, 1, 17, 2, 0, 5}});
      }
    }
    check(runtime, {.spec = {.heads = 4, .value_dim = 64, .form = MergeForm::ragged}, .parts = {}});
  });
}
