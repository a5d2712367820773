#include "codegen/ops/attention_merge.h"

#include <span>
#include <string>

#include "tests/support/catch.h"

using namespace lathe;
using namespace lathe::codegen;

namespace {

void* address(std::uint64_t number) {
  return reinterpret_cast<void*>(number << 20);
}

AttentionMergeArgs sample_args() {
  AttentionMergeArgs args;
  args.o_parts = address(1);
  args.lse_parts = static_cast<float*>(address(2));
  args.o_other = address(3);
  args.lse_other = static_cast<float*>(address(4));
  args.indptr = address(5);
  args.mask = static_cast<unsigned char*>(address(6));
  args.o = address(7);
  args.lse = static_cast<float*>(address(8));
  args.tokens = 10;
  args.parts = 3;
  return args;
}

lathe::Result<Grids> prepare(const AttentionMergeSpec& spec, AttentionMergeArgs args,
                             const LaunchFacts& launch) {
  const KernelSpec normalized = normalize_attention_merge(spec).value();
  const EntryPoint entry{.name = "merge", .launch = launch};
  return prepare_attention_merge(normalized, {.entries = {&entry, 1}},
                                 std::as_writable_bytes(std::span(&args, 1)));
}

template <class Change>
std::string refusal(AttentionMergeSpec spec, Change change) {
  AttentionMergeArgs args = sample_args();
  change(args);
  const auto grids = prepare(spec, args, {});
  REQUIRE(!grids);
  CHECK(grids.error().code == ErrorCode::invalid_argument);
  return grids.error().message;
}

const AttentionMergeSpec kSpec{.heads = 4, .value_dim = 128};

}  // namespace

TEST_CASE("attention_merge: a block's rows are heads of tokens") {
  CHECK(prepare(kSpec, sample_args(), {.work_per_block = 8}).value()[0].x == 5);
  CHECK(prepare(kSpec, sample_args(), {.work_per_block = 64}).value()[0].x == 1);
  AttentionMergeArgs none = sample_args();
  none.tokens = 0;
  CHECK(prepare(kSpec, none, {}).value() == Grids{});
}

TEST_CASE("attention_merge: what cannot be is refused") {
  AttentionMergeSpec stacked = kSpec;
  stacked.form = MergeForm::stacked;
  AttentionMergeSpec masked = stacked;
  masked.has_mask = true;
  CHECK(normalize_attention_merge(masked).error().message ==
        "attention_merge: has_mask is true, but form is stacked");
  CHECK(refusal(kSpec, [](auto& a) { a.tokens = -1; }) ==
        "attention_merge: tokens is -1, allowed are 0 to 2^40");
  CHECK(refusal(stacked, [](auto& a) { a.parts = 0; }) ==
        "attention_merge: parts is 0, allowed are 1 to 2^40");
  CHECK(refusal(kSpec, [](auto& a) { a.o_other = nullptr; }) == "attention_merge: o_other is null");
  CHECK(refusal(kSpec, [](auto& a) { a.o = static_cast<std::byte*>(address(7)) + 8; }).find("o is ") !=
        std::string::npos);
  CHECK(refusal(stacked, [](auto& a) { a.o = address(1); }) == "attention_merge: o is one of the parts");
  CHECK(refusal(kSpec, [](auto& a) { a.o = address(3); }) == "attention_merge: o is one of the parts");
  // sample_args has lse_parts, lse_other and lse apart.
  CHECK(refusal(stacked, [](auto& a) { a.lse = const_cast<float*>(a.lse_parts); }) ==
        "attention_merge: lse is one of the parts");
  CHECK(refusal(kSpec, [](auto& a) { a.lse = const_cast<float*>(a.lse_other); }) ==
        "attention_merge: lse is one of the parts");
  AttentionMergeArgs in_place = sample_args();
  in_place.o = address(1);
  in_place.lse = const_cast<float*>(in_place.lse_parts);
  CHECK(prepare(kSpec, in_place, {}));
}

TEST_CASE("attention_merge: a row has as many lanes as packs, at most a warp") {
  const auto lanes = [](std::int64_t dim, DType dtype) {
    const KernelSpec spec =
        normalize_attention_merge(AttentionMergeSpec{.heads = 1, .value_dim = dim, .dtype = dtype}).value();
    return 128 /
           plan_attention_merge(spec, {Backend::cuda, "sm_80", {}}).value().entries[0].launch.work_per_block;
  };
  CHECK(lanes(128, bf16) == 16);
  CHECK(lanes(128, f32) == 32);
  CHECK(lanes(512, bf16) == 32);
  CHECK(lanes(40, bf16) == 8);
  CHECK(lanes(1, bf16) == 1);
}
