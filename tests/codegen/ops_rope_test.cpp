#include "codegen/ops/rope.h"

#include <string>

#include "codegen/canonical.h"
#include "codegen/spec_json.h"
#include "tests/support/catch.h"

using lathe::bf16;
using lathe::Casting;
using lathe::e4m3;
using lathe::f16;
using lathe::f32;
using lathe::KernelSpec;
using lathe::RopeAppend;
using lathe::RopePairs;
using lathe::RopePositions;
using lathe::RopeScaling;
using lathe::RopeSections;
using lathe::RopeSpec;
using lathe::Target;
using namespace lathe::codegen;

namespace {

RopeSpec normalized(const RopeSpec& spec) {
  return std::get<RopeSpec>(normalize_rope(spec).value());
}

std::string message_of(const RopeSpec& spec) {
  const auto result = normalize_rope(spec);
  REQUIRE(!result);
  CHECK(result.error().code == lathe::ErrorCode::invalid_spec);
  CHECK(result.error().stage == lathe::Stage::validate);
  return result.error().message;
}

RenderPlan plan_of(const RopeSpec& spec, const char* target) {
  return plan_rope(normalize_rope(spec).value(), Target::parse(target).value()).value();
}

std::string value_of(const RenderPlan& plan, std::string_view name) {
  for (const auto& [known, value] : plan.parameters) {
    if (known == name) return value;
  }
  return "none";
}

}  // namespace

TEST_CASE("normalizing a rope resolves what was left open") {
  CHECK(
      canonical_text(normalized({.heads = 32, .kv_heads = 8, .head_dim = 128})) ==
      "rope heads=32 kv_heads=8 head_dim=128 rotary_dim=128 rotary_offset=0 pairs=half dtype=bf16 "
      "out_dtype=bf16 "
      "positions=ids position_dtype=i64 frequencies={scaling=none,theta=10000,factor=1,original_positions=0,"
      "low_frequency_factor=1,high_frequency_factor=4,beta_fast=32,beta_slow=1,truncate=true,mscale=0,"
      "mscale_all_dim=0,short_factor=[],long_factor=[],length=0,attention_factor=default} "
      "table_dtype=default "
      "sections=[] section_order=consecutive inverse=false qk_norm=false norm_has_weight=true "
      "norm_weight_dtype=bf16 norm_weight_offset=0 norm_casting=gemma q_nope_dim=0 k_nope_dim=0 append=none "
      "store_k=false v_dim=0 page_size=16 slot_dtype=i64 cache_dtype=bf16 alignment=16");
  CHECK(normalized({.heads = 1, .head_dim = 192, .rotary_offset = 128}).rotary_dim == 64);
  CHECK(normalized({.heads = 1, .head_dim = 41}).rotary_dim == 40);
  const RopeSpec yarn =
      normalized({.heads = 1,
                  .head_dim = 64,
                  .frequencies = {.scaling = RopeScaling::yarn, .factor = 2, .original_positions = 8}});
  CHECK(yarn.frequencies.attention_factor.has_value());
}

TEST_CASE("normalizing a rope twice changes nothing more") {
  RopeSpec full{.heads = 8, .kv_heads = 2, .head_dim = 80, .rotary_dim = 64, .dtype = f16, .out_dtype = e4m3};
  full.frequencies = {.scaling = RopeScaling::yarn, .factor = 40, .original_positions = 4096, .mscale = 1};
  full.sections = {16, 8, 8};
  full.append = RopeAppend::slots;
  full.v_dim = 100;
  full.cache_dtype = e4m3;
  full.qk_norm = true;
  full.norm_weight_offset = 0.1;
  for (const RopeSpec& spec : {RopeSpec{.heads = 1, .head_dim = 2}, full}) {
    const RopeSpec once = normalized(spec);
    CHECK(normalized(once) == once);
  }
}

TEST_CASE("a rope of one section is one without") {
  const RopeSpec plain{.heads = 1, .head_dim = 8};
  RopeSpec one = plain;
  one.sections = {4};
  one.section_order = RopeSections::interleaved;
  CHECK(normalized(one) == normalized(plain));
  RopeSpec by_offset = one;
  by_offset.positions = RopePositions::offset;
  CHECK(normalized(by_offset).sections.empty());
}

TEST_CASE("a rope's alignment follows from all packed rows of inputs") {
  const auto alignment = [](const RopeSpec& spec) { return normalized(spec).alignment; };
  CHECK(alignment({.heads = 1, .head_dim = 92}) == 8);
  CHECK(alignment({.heads = 1, .head_dim = 41}) == 2);
  CHECK(alignment({.heads = 1, .head_dim = 64, .q_nope_dim = 12}) == 8);
  CHECK(alignment({.kv_heads = 1, .head_dim = 64, .append = RopeAppend::slots, .v_dim = 10}) == 4);
  CHECK(message_of({.heads = 1, .head_dim = 8, .dtype = f32, .alignment = 2}) ==
        "rope: alignment is 2 bytes, less than an element of f32, which has 4");
}

TEST_CASE("a rope's geometry is checked") {
  CHECK(message_of({.head_dim = 8}) == "rope: heads and kv_heads are both 0");
  CHECK(message_of({.heads = 1}) == "rope: head_dim is 0, allowed are 2 to 1024");
  CHECK(message_of({.heads = 1, .head_dim = 8, .rotary_dim = 3}) ==
        "rope: rotary_dim is 3, allowed are even numbers");
  CHECK(message_of({.heads = 1, .head_dim = 8, .rotary_dim = 8, .rotary_offset = 2}) ==
        "rope: rotary_dim is 8, but only 6 elements of 8 lie behind rotary_offset");
  CHECK(message_of({.heads = 1, .head_dim = 8, .rotary_offset = 7}) ==
        "rope: rotary_offset is 7, but head_dim is 8");
  CHECK(message_of({.kv_heads = 1, .head_dim = 8, .q_nope_dim = 2}) ==
        "rope: q_nope_dim is 2, but heads is 0");
  CHECK(message_of({.heads = 1, .head_dim = 8, .k_nope_dim = 2}) ==
        "rope: k_nope_dim is 2, but kv_heads is 0");
}

TEST_CASE("a rope's angles are checked") {
  RopeSpec spec{.heads = 1, .head_dim = 8};
  spec.frequencies.theta = 0.5;
  CHECK(message_of(spec) == "rope: frequencies.theta is 0.5, allowed are 1 to 1e+15");
  spec.frequencies = {.factor = 2};
  CHECK(message_of(spec) == "rope: frequencies.factor is given, but scaling is none, which does not use it");
  spec.frequencies = {.theta = 5e5};
  spec.table_dtype = f32;
  CHECK(message_of(spec) == "rope: table_dtype is f32, but frequencies are given too");
  spec = {.heads = 1, .head_dim = 8, .sections = {1, 2}};
  CHECK(message_of(spec) == "rope: sections have 3 pairs, but rotary_dim is 8");
  spec.sections = {2, 2};
  spec.positions = RopePositions::offset;
  CHECK(message_of(spec) == "rope: positions is offset, but a token with sections has several positions");
  spec = {.heads = 1, .head_dim = 8, .section_order = RopeSections::interleaved};
  CHECK(message_of(spec) == "rope: section_order is interleaved, but there are no sections");
}

TEST_CASE("a rope's norm, results and cache are checked") {
  CHECK(message_of({.heads = 1, .head_dim = 8, .norm_weight_offset = 1}) ==
        "rope: the norm is described, but qk_norm is false");
  CHECK(message_of({.heads = 1, .head_dim = 8, .norm_casting = Casting::llama}) ==
        "rope: the norm is described, but qk_norm is false");
  CHECK(message_of({.heads = 1, .head_dim = 8, .inverse = true, .qk_norm = true}) ==
        "rope: qk_norm and inverse are both true");
  CHECK(
      message_of(
          {.heads = 1, .head_dim = 8, .qk_norm = true, .norm_has_weight = false, .norm_weight_offset = 1}) ==
      "rope: the norm's weight is described, but norm_has_weight is false");
  CHECK(message_of({.heads = 1, .head_dim = 8, .dtype = bf16, .out_dtype = f32}) ==
        "rope: out_dtype is f32, but dtype is bf16");
  CHECK(message_of({.heads = 1, .head_dim = 8, .append = RopeAppend::slots}) ==
        "rope: append is slots, but kv_heads is 0");
  CHECK(message_of({.kv_heads = 1, .head_dim = 8, .append = RopeAppend::slots, .cache_dtype = f16}) ==
        "rope: cache_dtype is f16, but dtype is bf16");
  CHECK(message_of({.kv_heads = 1, .head_dim = 8, .v_dim = 8}) ==
        "rope: a cache is described, but append is none");
  CHECK(message_of({.kv_heads = 1, .head_dim = 8, .page_size = 0}) ==
        "rope: page_size is 0, allowed are 1 to 65536");
}

TEST_CASE("a rope reads back from its JSON") {
  RopeSpec spec{.heads = 2, .kv_heads = 1, .head_dim = 8, .sections = {2, 1, 1}};
  spec.frequencies = {.scaling = RopeScaling::longrope, .factor = 4, .original_positions = 64};
  spec.frequencies.short_factor = {1, 1.5, 2, 2.5};
  spec.frequencies.long_factor = {4, 5, 6, 7};
  const KernelSpec normal = normalize_rope(spec).value();
  CHECK(spec_from_json(spec_to_json(normal)).value() == normal);
}

TEST_CASE("on a GPU a group of lanes shares a head, and groups share a token") {
  const auto shape = [](const RopeSpec& spec) {
    const RenderPlan plan = plan_of(spec, "cuda:sm_90a");
    CHECK(plan.entries.at(0).launch.block.x == 128);
    return value_of(plan, "kPack") + " " + value_of(plan, "kGroup") + " " + value_of(plan, "kHeadLanes") +
           " " + std::to_string(plan.entries.at(0).launch.work_per_block);
  };
  CHECK(shape({.heads = 32, .kv_heads = 8, .head_dim = 128}) == "8 8 4 4");
  CHECK(shape({.heads = 32, .kv_heads = 8, .head_dim = 128, .pairs = RopePairs::interleaved}) == "8 16 2 4");
  CHECK(shape({.heads = 32, .kv_heads = 8, .head_dim = 128, .dtype = f32}) == "4 16 2 4");
  CHECK(shape({.heads = 128, .kv_heads = 1, .head_dim = 64}) == "8 4 8 4");
  CHECK(shape({.heads = 1, .head_dim = 2}) == "1 1 1 128");
  CHECK(shape({.heads = 2, .head_dim = 92}) == "2 32 1 4");
  // 576 elements are 4 slots of pairs; with a norm the other 512 are 64 more.
  CHECK(shape({.heads = 2, .head_dim = 576, .rotary_dim = 64, .rotary_offset = 512}) == "8 4 1 32");
  CHECK(shape({.heads = 2, .head_dim = 576, .rotary_dim = 64, .rotary_offset = 512, .qk_norm = true}) ==
        "8 32 1 4");
  const Target unknown{lathe::Backend::cuda, "sm_10", {}};
  CHECK_FALSE(plan_rope(normalize_rope(RopeSpec{.heads = 1, .head_dim = 2}).value(), unknown));
}

TEST_CASE("turns are in the order in which they are read") {
  const RopeSpec spec{.heads = 1, .head_dim = 8, .alignment = 4};
  // Packs of two: slots (0, 1) and (2, 3); the first pairs of both, then the second ones.
  CHECK(value_of(plan_of(spec, "cuda:sm_80"), "kTurns") ==
        "{0x28be60db9391054a, 0x684dc4c179c52c, 0x41309af8ec1b3bb, 0xa6e2d468c2d51}");
  CHECK(value_of(plan_of(spec, "cpu:x86-64"), "kTurns")
            .starts_with(
                "{0x28be60db9391054a, 0x41309af8ec1b3bb, 0x684dc4c179c52c, 0xa6e2d468c2d51, 0x0, 0x0, "));
  CHECK(value_of(plan_of({.heads = 1, .head_dim = 8, .table_dtype = f32}, "cuda:sm_80"), "kTurns") ==
        "{0x0}");
}

TEST_CASE("on the CPU a block is some 64 KB of tokens") {
  CHECK(plan_of({.heads = 32, .kv_heads = 8, .head_dim = 128}, "cpu:x86-64")
            .entries.at(0)
            .launch.work_per_block == 6);
  CHECK(plan_of({.heads = 4096, .head_dim = 1024}, "cpu:x86-64").entries.at(0).launch.work_per_block == 1);
  CHECK(plan_of({.heads = 1, .head_dim = 2}, "cpu:x86-64").entries.at(0).launch.work_per_block == 1024);
}
