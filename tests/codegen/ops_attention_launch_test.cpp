#include <cmath>
#include <cstring>
#include <span>
#include <string>

#include "codegen/ops/attention.h"
#include "tests/support/catch.h"

using namespace lathe;
using namespace lathe::codegen;

namespace {

void* address(std::uint64_t number) {
  return reinterpret_cast<void*>(number << 20);
}

AttentionSpec sample() {
  return {.query_heads = 8, .kv_heads = 2, .head_dim = 64};
}

AttentionSpec paged() {
  AttentionSpec spec = sample();
  spec.storage = KvStorage::paged;
  spec.page_size = 16;
  return spec;
}

AttentionArgs sample_args() {
  AttentionArgs args;
  args.q = address(1);
  args.k = address(2);
  args.v = address(3);
  args.o = address(4);
  args.page_indices = address(5);
  args.requests = static_cast<AttentionRequest*>(address(6));
  args.work = static_cast<AttentionWork*>(address(7));
  args.merges = static_cast<AttentionMerge*>(address(8));
  args.workspace = address(9);
  args.work_items = 5;
  args.tile_rows = 16;
  return args;
}

lathe::Result<Grids> prepare(const AttentionSpec& given, AttentionArgs& args) {
  const KernelSpec spec = normalize_attention(given).value();
  const EntryPoint entries[] = {{"attend", {.work_per_block = 16}}, {"merge"}};
  return prepare_attention(spec, {.entries = entries}, std::as_writable_bytes(std::span(&args, 1)));
}

std::string refusal(const AttentionSpec& spec, AttentionArgs args) {
  const auto grids = prepare(spec, args);
  REQUIRE(!grids);
  CHECK(grids.error().code == ErrorCode::invalid_argument);
  return grids.error().message;
}

}  // namespace

TEST_CASE("attention: a block per work item and key-value head, then per merge") {
  AttentionArgs args = sample_args();
  args.merge_items = 3;
  args.slots = 5;
  args.workspace_bytes = 5 * 2 * 16 * 65 * 4;
  const Grids grids = prepare(sample(), args).value();
  CHECK(grids[0].x == 10);
  CHECK(grids[1].x == 6);
  args.work_items = args.slots = 0;
  CHECK(prepare(sample(), args).value() == Grids{});
}

TEST_CASE("attention: strides that are left out are those of packed tensors") {
  AttentionArgs args = sample_args();
  REQUIRE(prepare(paged(), args));
  CHECK(args.q_head_stride == 64);
  CHECK(args.q_token_stride == 512);
  CHECK(args.o_token_stride == 512);
  CHECK(args.k_head_stride == 64);
  CHECK(args.k_token_stride == 128);
  CHECK(args.k_outer_stride == 16 * 128);
  CHECK(args.v_outer_stride == 16 * 128);
  CHECK(args.softmax_scale == 0.125f);
  // Heads outside, as HND has them.
  args = sample_args();
  args.k_head_stride = 16 * 64;
  args.k_token_stride = 64;
  args.k_outer_stride = 2 * 16 * 64;
  REQUIRE(prepare(paged(), args));
  CHECK(args.k_token_stride == 64);
}

TEST_CASE("attention: arguments that cannot be right are named") {
  const auto with = [](const AttentionSpec& spec, auto change) {
    AttentionArgs args = sample_args();
    change(args);
    return refusal(spec, args);
  };
  CHECK(with(sample(), [](auto& a) { a.q = nullptr; }) == "attention: q is null");
  CHECK(with(sample(), [](auto& a) { a.k = static_cast<std::byte*>(address(2)) + 8; }).find("k is ") !=
        std::string::npos);
  CHECK(with(paged(), [](auto& a) { a.page_indices = nullptr; }) == "attention: page_indices is null");
  CHECK(with(sample(), [](auto& a) { a.k_token_stride = -128; }) ==
        "attention: k_token_stride is -128, negative strides are not supported");
  CHECK(with(sample(), [](auto& a) { a.v_head_stride = 66; }) ==
        "attention: v_head_stride is 66 elements of 2 bytes, not a multiple of 16 bytes");
  CHECK(with(sample(), [](auto& a) { a.softmax_scale = INFINITY; }) ==
        "attention: softmax_scale is inf, it must be finite");
  AttentionSpec capped = sample();
  capped.has_soft_cap = true;
  CHECK(with(capped, [](auto&) {}) == "attention: soft_cap is 0, it must be finite and greater than 0");
  AttentionSpec windowed = sample();
  windowed.has_window = true;
  CHECK(with(windowed, [](auto& a) { a.window_left = -1; }) ==
        "attention: window_left is -1, it must not be negative");
  AttentionSpec contiguous = sample();
  contiguous.storage = KvStorage::contiguous;
  CHECK(with(contiguous, [](auto&) {}) == "attention: k_outer_stride is 0");
  CHECK(with(sample(), [](auto& a) { a.slots = 1; }) ==
        "attention: workspace_bytes is 0, the plan needs 8320");
  CHECK(with(sample(), [](auto& a) { a.tile_rows = 0; }) ==
        "attention: tile_rows is 0, the kernel's tiles have 16: there is no plan");
  CHECK(with(sample(), [](auto& a) { a.tile_rows = 128; }) ==
        "attention: tile_rows is 128, the kernel's tiles have 16: the plan is another kernel's");
  CHECK(with(sample(), [](auto& a) { a.slots = Index{1} << 62; }) ==
        "attention: work_items is 5, merge_items 0, slots 4611686018427387904: not from a plan");
  CHECK(with(sample(), [](auto& a) { a.work_items = -1; }) ==
        "attention: work_items is -1, merge_items 0, slots 0: not from a plan");
  AttentionSpec extras = sample();
  extras.store_lse = extras.has_alibi = extras.has_sinks = true;
  extras.mask = AttentionMask::custom;
  extras.kv_scale = AttentionScale::head;
  for (const Argument& argument : arguments_of_attention(normalize_attention(extras).value())) {
    if (argument.kind == ArgumentKind::scalar || argument.name == "q" || argument.name == "k" ||
        argument.name == "v" || argument.name == "o") {
      continue;
    }
    INFO(argument.name);
    AttentionArgs args = sample_args();
    args.lse = static_cast<float*>(address(10));
    args.mask = static_cast<unsigned char*>(address(11));
    args.alibi_slopes = args.sinks = args.k_scale = args.v_scale = static_cast<float*>(address(12));
    REQUIRE(prepare(extras, args));
    const void* null = nullptr;
    std::memcpy(reinterpret_cast<std::byte*>(&args) + argument.offset, &null, sizeof null);
    CHECK(refusal(extras, args) == "attention: " + std::string(argument.name) + " is null");
  }
}
