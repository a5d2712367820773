// What a launch of rope is checked for, and what its arguments are.
#include <cstdint>
#include <limits>
#include <set>
#include <string>

#include "codegen/ops/rope.h"
#include "tests/support/catch.h"

using lathe::e4m3;
using lathe::f32;
using lathe::Index;
using lathe::KernelSpec;
using lathe::RopeAppend;
using lathe::RopeArgs;
using lathe::RopePositions;
using lathe::RopeSpec;
using namespace lathe::codegen;

namespace {

/// An address that is a multiple of 16 and nothing more. Nothing is read from it.
void* address(std::uintptr_t tensor, std::uintptr_t offset = 0) {
  return reinterpret_cast<void*>(tensor * 0x1000'0000 + 16 + offset);
}

/// All pointers there are, all strides packed.
RopeArgs packed_args() {
  RopeArgs a{.tokens = 3};
  std::uintptr_t next = 1;
  for (const void** pointer : {&a.q, &a.k, &a.q_nope, &a.k_nope, &a.v, &a.q_norm_weight, &a.k_norm_weight,
                               &a.cos, &a.sin, &a.positions, &a.indptr, &a.offsets, &a.slots, &a.page_indptr,
                               &a.page_indices, &a.batch_indices, &a.cache_positions})
    *pointer = address(next++);
  for (void** pointer :
       {&a.q_out, &a.k_out, &a.q_nope_out, &a.k_nope_out, &a.k_cache, &a.k_nope_cache, &a.v_cache})
    *pointer = address(next++);
  a.table_rows = 9;
  a.pages = 4;
  a.batch = 2;
  return a;
}

RopeSpec plain() {
  return {.heads = 4, .kv_heads = 2, .head_dim = 64};
}

RopeSpec full() {
  RopeSpec spec{.heads = 4, .kv_heads = 2, .head_dim = 64};
  spec.table_dtype = f32;
  spec.qk_norm = true;
  spec.q_nope_dim = spec.k_nope_dim = 32;
  spec.append = RopeAppend::pages;
  spec.store_k = true;
  spec.v_dim = 128;
  spec.cache_dtype = e4m3;
  return spec;
}

lathe::Result<Grid> prepare(const RopeSpec& given, RopeArgs& args, const LaunchFacts& launch = {},
                            int processors = 1) {
  const KernelSpec spec = normalize_rope(given).value();
  const EntryPoint entry{.name = "kernel", .launch = launch};
  const auto grids = prepare_rope(spec, {.entries = {&entry, 1}, .processors = processors},
                                  std::as_writable_bytes(std::span(&args, 1)));
  if (!grids) return grids.error();
  return grids->front();
}

template <class Change>
std::string refusal_after(const RopeSpec& spec, Change change) {
  RopeArgs args = packed_args();
  change(args);
  const auto grid = prepare(spec, args);
  REQUIRE(!grid);
  CHECK(grid.error().code == lathe::ErrorCode::invalid_argument);
  CHECK(grid.error().stage == lathe::Stage::launch);
  return grid.error().message;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("strides that are left out are filled in") {
  RopeArgs args = packed_args();
  REQUIRE(prepare(full(), args));
  CHECK(args.q_head_stride == 64);
  CHECK(args.q_token_stride == 256);
  CHECK(args.k_token_stride == 128);
  CHECK(args.v_token_stride == 256);
  CHECK(args.q_nope_out_token_stride == 128);
  CHECK(args.k_cache_head_stride == 64);
  CHECK(args.k_cache_entry_stride == 128);
  CHECK(args.k_cache_page_stride == 16 * 128);
  CHECK(args.v_cache_page_stride == 16 * 256);
  CHECK(args.cos_row_stride == 32);
  CHECK(args.positions_section_stride == 3);
  // Pages of heads: what is left out follows from what is given.
  args = packed_args();
  args.k_cache_entry_stride = 64;
  args.k_cache_head_stride = 16 * 64;
  REQUIRE(prepare(full(), args));
  CHECK(args.k_cache_page_stride == 2 * 16 * 64);
}

TEST_CASE("a grid has a block per few tokens, and more where there are few") {
  RopeArgs args = packed_args();
  args.tokens = 9;
  CHECK(prepare(plain(), args, {.work_per_block = 4})->x == 3);
  const LaunchFacts gpu{.block = {128}, .work_per_block = 4};
  CHECK(prepare(plain(), args, gpu, 132).value() ==
        Grid{.x = 3, .y = 2});  // 6 heads, 4 of which are worth a block
  args.tokens = 100'000;
  CHECK(prepare(plain(), args, gpu, 132).value() == Grid{.x = 25'000});
  args.tokens = 0;
  CHECK(prepare(plain(), args, gpu, 132)->x == 0);
  CHECK(contains(refusal_after(plain(), [](auto& a) { a.tokens = Index{1} << 40; }),
                 "more than a grid of 2^31 - 1 takes"));
}

TEST_CASE("results that the spec does not have are not written") {
  RopeArgs args = packed_args();
  REQUIRE(prepare(plain(), args));
  CHECK(args.k_cache == nullptr);
  CHECK(args.q_nope_out == nullptr);
  CHECK(args.k_out != nullptr);
  args = packed_args();
  RopeSpec appends = plain();
  appends.append = RopeAppend::slots;
  REQUIRE(prepare(appends, args));
  CHECK(args.k_out == nullptr);
  CHECK(args.v_cache == nullptr);
  CHECK(args.k_cache != nullptr);
}

TEST_CASE("a rope's pointers that are missing or not aligned are refused") {
  const RopeSpec all = full();
  CHECK(refusal_after(all, [](auto& a) { a.q = nullptr; }) == "rope: q is null");
  CHECK(refusal_after(all, [](auto& a) { a.k_out = nullptr; }) == "rope: k_out is null");
  CHECK(refusal_after(all, [](auto& a) { a.v_cache = nullptr; }) == "rope: v_cache is null");
  CHECK(refusal_after(all, [](auto& a) { a.positions = nullptr; }) == "rope: positions is null");
  CHECK(refusal_after(all, [](auto& a) { a.cos = nullptr; }) == "rope: cos is null");
  CHECK(refusal_after(all, [](auto& a) { a.k_norm_weight = nullptr; }) == "rope: k_norm_weight is null");
  CHECK(refusal_after(all, [](auto& a) { a.page_indices = nullptr; }) == "rope: page_indices is null");
  CHECK(contains(refusal_after(all, [](auto& a) { a.q = address(1, 8); }), "not a multiple of 16 bytes"));
  // Eight elements of e4m3.
  CHECK(
      contains(refusal_after(all, [](auto& a) { a.k_cache = address(1, 4); }), "not a multiple of 8 bytes"));
  CHECK(contains(refusal_after(all, [](auto& a) { a.positions = address(1, 4); }),
                 "not a multiple of 8 bytes"));
  RopeSpec slots = plain();
  slots.append = RopeAppend::slots;
  CHECK(refusal_after(slots, [](auto& a) { a.slots = nullptr; }) == "rope: slots is null");
  RopeSpec ragged = plain();
  ragged.positions = RopePositions::ragged;
  CHECK(refusal_after(ragged, [](auto& a) { a.offsets = nullptr; }) == "rope: offsets is null");
}

TEST_CASE("a rope's strides that do not fit are refused") {
  CHECK(refusal_after(plain(), [](auto& a) { a.q_token_stride = -8; }) ==
        "rope: q_token_stride is -8, negative strides are not supported");
  CHECK(refusal_after(plain(), [](auto& a) { a.k_head_stride = 65; }) ==
        "rope: k_head_stride is 65 elements of 2 bytes, not a multiple of 16 bytes");
  CHECK(refusal_after(plain(), [](auto& a) { a.q_out_token_stride = 248; }) ==
        "rope: q_out: strides of 248 and 64 elements make rows of 64 overlap");
  CHECK(refusal_after(plain(), [](auto& a) { a.q_out_token_stride = a.q_out_head_stride = 1024; }) ==
        "rope: q_out: strides of 1024 and 1024 elements make rows of 64 overlap");
  CHECK(refusal_after(full(), [](auto& a) { a.k_cache_page_stride = 2040; }) ==
        "rope: k_cache: strides of 2040 and 128 and 64 elements make rows of 64 overlap");
  CHECK(contains(refusal_after(plain(), [](auto& a) { a.q_token_stride = Index{1} << 62; }),
                 "exceed 2^63 bytes"));
  CHECK(contains(refusal_after(plain(), [](auto& a) { a.q_head_stride = Index{1} << 62; }),
                 "exceed 2^63 bytes"));
  // Packed rows, where the spec promises more than they have.
  RopeSpec odd{.heads = 4, .head_dim = 20, .alignment = 16};
  CHECK(refusal_after(odd, [](auto&) {}) ==
        "rope: q_head_stride is 20 elements of 2 bytes, not a multiple of 16 bytes");
  RopeArgs packed = packed_args();
  CHECK(prepare(odd, packed).error().hint == "pad the rows, or compile the kernel with alignment=8");
  // Overlapping inputs are only read.
  RopeArgs args = packed_args();
  args.q_token_stride = 8;
  CHECK(prepare(plain(), args));
}

TEST_CASE("a rope in place needs the same strides and dtype") {
  CHECK(refusal_after(plain(), [](auto& a) {
          a.q_out = const_cast<void*>(a.q);
          a.q_token_stride = 512;
        }) == "rope: q_out is q, but their strides are 256 and 64 against 512 and 64 elements");
  RopeSpec fp8 = plain();
  fp8.out_dtype = e4m3;
  CHECK(refusal_after(fp8, [](auto& a) { a.k_out = const_cast<void*>(a.k); }) ==
        "rope: k_out is k, but their dtypes are e4m3 and bf16");
  RopeArgs args = packed_args();
  args.q_out = const_cast<void*>(args.q);
  args.k_out = const_cast<void*>(args.k);
  CHECK(prepare(plain(), args));
}

TEST_CASE("a rope's scalars out of range are refused") {
  CHECK(refusal_after(plain(), [](auto& a) { a.tokens = -1; }) ==
        "rope: tokens is -1, allowed are 0 to 2^46");
  CHECK(refusal_after(full(), [](auto& a) { a.pages = 0; }) == "rope: pages is 0, allowed are 1 to 2^46");
  CHECK(refusal_after(full(), [](auto& a) { a.batch = -1; }) == "rope: batch is -1, allowed are 0 to 2^46");
  CHECK(refusal_after(full(), [](auto& a) { a.table_rows = 0; }) ==
        "rope: table_rows is 0, expected a positive number");
  CHECK(refusal_after(full(), [](auto& a) { a.k_scale = 0; }) ==
        "rope: k_scale is 0, it must be finite and above 0");
  CHECK(refusal_after(full(), [](auto& a) { a.epsilon = -1; }) ==
        "rope: epsilon is -1, it must be finite and not negative");
  CHECK(refusal_after(plain(), [](auto& a) { a.positions_section_stride = -1; }) ==
        "rope: positions_section_stride is -1, negative strides are not supported");
}

TEST_CASE("the arguments of a rope are those of its tensors, and lie where the struct has them") {
  const auto names = [](const RopeSpec& spec) {
    std::string text;
    for (const Argument& argument : arguments_of_rope(normalize_rope(spec).value()))
      text += std::string(argument.name) + (argument.required ? "! " : " ");
    return text;
  };
  CHECK(names(plain()) ==
        "q! k! q_out! k_out! positions! tokens q_token_stride q_head_stride k_token_stride "
        "k_head_stride q_out_token_stride q_out_head_stride k_out_token_stride k_out_head_stride ");
  std::set<std::size_t> offsets;
  for (const Argument& argument : arguments_of_rope(normalize_rope(full()).value())) {
    INFO(argument.name);
    CHECK(offsets.insert(argument.offset).second);
    CHECK(argument.offset < sizeof(RopeArgs));
    CHECK(!argument.doc.empty());
    CHECK((argument.kind == ArgumentKind::scalar) == argument.shape.empty());
    if (argument.name == "k_cache") CHECK(argument.kind == ArgumentKind::update);
    if (argument.name == "page_indptr") {
      CHECK(argument.shape[0].constant == 1);
      CHECK(argument.shape[0].symbol == "batch");
    }
  }
  CHECK(offsets.contains(offsetof(RopeArgs, v_scale)));
  CHECK(!offsets.contains(offsetof(RopeArgs, q_scale)));
}
