// attention's offsets beyond 2^31 elements. Memory that large is not there: the tensors' only rows are where
// a large stride leads to from a pointer that lies as far before them.
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include <lathe/attention_plan.h>

#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/guarded_buffer.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

constexpr Index kDim = 64;
constexpr Index kFar = (Index{1} << 32) + (Index{1} << 31) + kDim;
constexpr std::uint16_t kOne = 0x3F80;  // bf16

/// A row of kDim elements, all of them this.
class Row {
 public:
  Row(Runtime& runtime, std::uint16_t element) : buffer_(runtime, kDim * 2) {
    std::array<std::uint16_t, kDim> row{};
    row.fill(element);
    buffer_.upload(row.data());
  }
  /// From where it is `distance` elements further.
  void* before(Index distance) const {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(buffer_.data()) -
                                   static_cast<std::uintptr_t>(distance) * 2);
  }
  bool holds(std::uint16_t element) const {
    const std::vector<std::byte> bytes = buffer_.download();
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
      if (std::memcmp(&bytes[i], &element, 2) != 0) return false;
    }
    return true;
  }

 private:
  GuardedBuffer buffer_;
};

/// One query and one key, both numbered 1 wherever they are counted.
void check_far(Runtime& runtime, const AttentionSpec& spec) {
  const auto kernel = runtime.get(spec).value();
  const Row q(runtime, kOne), k(runtime, kOne), v(runtime, 0x4040), o(runtime, 0xFFFF);
  const std::vector<std::int64_t> queries{1, 2}, keys{1}, begins{spec.storage == KvStorage::paged ? 0 : 1};
  const AttentionPlan plan =
      AttentionPlan::make(kernel, {.query_indptr = queries, .kv_lengths = keys, .kv_indptr = begins}).value();
  GuardedBuffer bytes(runtime, plan.bytes().size());
  bytes.upload(plan.bytes().data());
  const std::int32_t page = 1;
  GuardedBuffer pages(runtime, sizeof page);
  pages.upload(&page);
  AttentionArgs args{.q = q.before(kFar), .k = k.before(kFar), .v = v.before(kFar), .o = o.before(kFar)};
  args.page_indices = pages.data();
  args.q_token_stride = args.o_token_stride = kFar;
  args.k_outer_stride = args.v_outer_stride = kFar;
  args.k_token_stride = args.v_token_stride = spec.storage == KvStorage::paged ? kDim : kFar;
  args.q_head_stride = args.o_head_stride = args.k_head_stride = args.v_head_stride = kDim;
  plan.apply(args, bytes.data());
  const auto launched = kernel.launch(args, {});
  if (!launched) FAIL(launched.error().text());
  REQUIRE(runtime.synchronize({}).has_value());
  CHECK(o.holds(0x4040));  // the weight of an only key is 1
}

}  // namespace

TEST_CASE("attention: offsets beyond 2^31 elements") {
  on_every_target([](Runtime& runtime) {
    for (const AttentionPhase phase : {AttentionPhase::prefill, AttentionPhase::decode}) {
      AttentionSpec spec{.query_heads = 1, .kv_heads = 1, .head_dim = kDim, .phase = phase};
      check_far(runtime, spec);
      spec.storage = KvStorage::paged;
      spec.page_size = 8;
      check_far(runtime, spec);
    }
  });
}
