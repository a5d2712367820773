// What a launch of rms_norm is checked for.
#include <cstdint>
#include <cstring>
#include <limits>
#include <set>
#include <string>

#include "codegen/ops/rms_norm.h"
#include "tests/support/catch.h"

using lathe::bf16;
using lathe::f32;
using lathe::Index;
using lathe::KernelSpec;
using lathe::OutputScale;
using lathe::Residual;
using lathe::RmsNormArgs;
using lathe::RmsNormSpec;
using namespace lathe::codegen;

namespace {

constexpr Index kHuge = std::numeric_limits<Index>::max();

/// An address that is a multiple of 16 and nothing more. Nothing is read from it.
void* address(std::uintptr_t offset = 0, std::uintptr_t tensor = 1) {
  return reinterpret_cast<void*>(tensor * 0x1000'0000 + 16 + offset);
}

/// Tightly packed arguments for 3 tokens.
RmsNormArgs packed_args() {
  return {.x = address(0, 1),
          .weight = address(0, 2),
          .y = address(0, 3),
          .residual_in = address(0, 4),
          .residual_out = address(0, 5),
          .rstd = static_cast<float*>(address(0, 6)),
          .rows = 3};
}

lathe::Result<Grid> prepare(const RmsNormSpec& given, RmsNormArgs& args, const LaunchFacts& launch = {}) {
  const KernelSpec spec = normalize_rms_norm(given).value();
  const EntryPoint entry{.name = "kernel", .launch = launch};
  const auto grids =
      prepare_rms_norm(spec, {.entries = {&entry, 1}}, std::as_writable_bytes(std::span(&args, 1)));
  if (!grids) return grids.error();
  for (std::size_t i = 1; i < grids->size(); ++i) CHECK((*grids)[i].x == 0);
  return grids->front();
}

/// The message of a launch that must be refused.
std::string refusal(const RmsNormSpec& spec, RmsNormArgs args) {
  const auto grid = prepare(spec, args);
  REQUIRE(!grid);
  CHECK(grid.error().code == lathe::ErrorCode::invalid_argument);
  CHECK(grid.error().stage == lathe::Stage::launch);
  return grid.error().message;
}

template <class Change>
std::string refusal_after(const RmsNormSpec& spec, Change change) {
  RmsNormArgs args = packed_args();
  change(args);
  return refusal(spec, args);
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("strides that are left out become those of packed rows") {
  RmsNormArgs args = packed_args();
  REQUIRE(prepare({.hidden_size = 64, .residual = Residual::round_then_norm, .heads = 4}, args));
  CHECK(args.x_row_stride == 256);
  CHECK(args.x_head_stride == 64);
  CHECK(args.y_row_stride == 256);
  CHECK(args.y_head_stride == 64);
  CHECK(args.residual_in_row_stride == 256);
  CHECK(args.residual_out_head_stride == 64);

  args = packed_args();
  args.x_head_stride = 128;
  REQUIRE(prepare({.hidden_size = 64, .heads = 4}, args));
  CHECK(args.x_row_stride == 512);          // of the padded heads
  CHECK(args.residual_in_row_stride == 0);  // there is no residual: not looked at
}

TEST_CASE("the grid covers every row, with as many blocks as it takes") {
  const auto grid = [](const RmsNormSpec& spec, const LaunchFacts& launch = {}) {
    RmsNormArgs args = packed_args();
    return prepare(spec, args, launch).value();
  };
  CHECK(grid({.hidden_size = 64}).x == 3);
  CHECK(grid({.hidden_size = 64, .heads = 5}).x == 15);
  CHECK(grid({.hidden_size = 64, .heads = 5}, {.work_per_block = 4}).x == 4);
  CHECK(grid({.hidden_size = 64, .heads = 5}, {.work_per_block = 15}).x == 1);
  CHECK(grid({.hidden_size = 64, .heads = 5}, {.cluster = {8}}).x == 120);
  CHECK(grid({.hidden_size = 64}).y == 1);
  CHECK(grid({.hidden_size = 64}).z == 1);
}

TEST_CASE("no rows are nothing to do, whatever the pointers are") {
  RmsNormArgs args{};
  const auto grid = prepare({.hidden_size = 64}, args);
  REQUIRE(grid);
  CHECK(grid->x == 0);
}

TEST_CASE("counts and epsilon are checked") {
  const RmsNormSpec spec{.hidden_size = 64};
  CHECK(refusal_after(spec, [](auto& a) { a.rows = -1; }) == "rms_norm: rows is -1, allowed are 0 to 2^46");
  CHECK(contains(refusal_after(spec, [](auto& a) { a.rows = kHuge; }), "allowed are 0 to 2^46"));
  CHECK(refusal_after(spec, [](auto& a) { a.epsilon = -1e-6f; }) ==
        "rms_norm: epsilon is -1e-06, it must be finite and not negative");
  CHECK(contains(refusal_after(spec, [](auto& a) { a.epsilon = std::numeric_limits<float>::quiet_NaN(); }),
                 "epsilon is nan"));
  CHECK(contains(refusal_after(spec, [](auto& a) { a.epsilon = std::numeric_limits<float>::infinity(); }),
                 "epsilon is inf"));
  RmsNormArgs args = packed_args();
  args.epsilon = 0;
  CHECK(prepare(spec, args));
}

TEST_CASE("a grid that no launch takes is refused") {
  RmsNormArgs args = packed_args();
  args.rows = 0x7FFFFFFF;
  CHECK(prepare({.hidden_size = 1}, args)->x == 0x7FFFFFFF);
  args.rows = 0x80000000;
  CHECK(refusal({.hidden_size = 1}, args) ==
        "rms_norm: rows is 2147483648, 2147483648 blocks, more than a grid of 2^31 - 1 takes");
  CHECK(prepare({.hidden_size = 1}, args, {.work_per_block = 2})->x == 0x40000000);
}

TEST_CASE("a tensor that the spec uses must not be null, others may be") {
  const RmsNormSpec full{.hidden_size = 64, .residual = Residual::norm_then_round, .store_rstd = true};
  CHECK(refusal_after(full, [](auto& a) { a.x = nullptr; }) == "rms_norm: x is null");
  CHECK(refusal_after(full, [](auto& a) { a.y = nullptr; }) == "rms_norm: y is null");
  CHECK(refusal_after(full, [](auto& a) { a.weight = nullptr; }) == "rms_norm: weight is null");
  CHECK(refusal_after(full, [](auto& a) { a.residual_in = nullptr; }) == "rms_norm: residual_in is null");
  CHECK(refusal_after(full, [](auto& a) { a.residual_out = nullptr; }) == "rms_norm: residual_out is null");
  CHECK(refusal_after(full, [](auto& a) { a.rstd = nullptr; }) == "rms_norm: rstd is null");
  RmsNormArgs args{.x = address(0, 1), .y = address(0, 2), .rows = 1};
  CHECK(prepare({.hidden_size = 64, .has_weight = false}, args));
}

TEST_CASE("pointers are as aligned as the spec says") {
  const RmsNormSpec aligned{.hidden_size = 64, .residual = Residual::round_then_norm, .store_rstd = true};
  CHECK(refusal_after(aligned, [](auto& a) { a.x = address(8); }) ==
        "rms_norm: x is 0x10000018, not a multiple of 16 bytes");
  CHECK(contains(refusal_after(aligned, [](auto& a) { a.y = address(2); }), "y is "));
  CHECK(contains(refusal_after(aligned, [](auto& a) { a.residual_in = address(2); }), "residual_in is "));
  CHECK(contains(refusal_after(aligned, [](auto& a) { a.residual_out = address(2); }), "residual_out is "));
  CHECK(contains(refusal_after(aligned, [](auto& a) { a.weight = address(8); }), "weight is "));
  CHECK(contains(refusal_after(aligned, [](auto& a) { a.rstd = reinterpret_cast<float*>(address(2)); }),
                 "not a multiple of 4 bytes"));
  // An element's alignment always does where the spec asks for no more.
  RmsNormArgs args = packed_args();
  args.x = address(2, 1);
  args.y = address(6, 2);
  args.weight = address(10, 3);
  CHECK(prepare({.hidden_size = 64, .alignment = 2}, args));
}

TEST_CASE("the weight is aligned for as many elements as x is") {
  // 4 bytes are two elements of x, so eight bytes of the weight.
  const RmsNormSpec wider{.hidden_size = 6, .dtype = bf16, .weight_dtype = f32};
  CHECK(contains(refusal_after(wider, [](auto& a) { a.weight = address(4); }), "not a multiple of 8 bytes"));
  // 16 bytes are eight elements, 32 bytes of the weight; no access is wider than 16.
  const RmsNormSpec widest{.hidden_size = 64, .dtype = bf16, .weight_dtype = f32};
  CHECK(
      contains(refusal_after(widest, [](auto& a) { a.weight = address(8); }), "not a multiple of 16 bytes"));
  RmsNormArgs args = packed_args();
  args.weight = address(16, 2);
  CHECK(prepare(widest, args));
  // 4 bytes are one element of x, so two bytes of the weight.
  args = packed_args();
  args.weight = address(2, 2);
  CHECK(prepare({.hidden_size = 5, .dtype = f32, .weight_dtype = bf16}, args));
}

TEST_CASE("strides are as aligned as the spec says, and the hint says what would do") {
  const RmsNormSpec spec{.hidden_size = 64};
  RmsNormArgs args = packed_args();
  args.x_row_stride = 68;
  const auto grid = prepare(spec, args);
  REQUIRE(!grid);
  CHECK(grid.error().message ==
        "rms_norm: x_row_stride is 68 elements of 2 bytes, not a multiple of 16 bytes");
  CHECK(grid.error().hint == "pad the rows, or compile the kernel with alignment=8");
  args.x_row_stride = 72;
  CHECK(prepare(spec, args));
  // Packed rows of an odd size do not have the alignment that only padded rows have.
  CHECK(contains(refusal_after({.hidden_size = 5, .alignment = 16}, [](auto&) {}), "x_row_stride is 5"));
  args = packed_args();
  args.x_row_stride = args.y_row_stride = 8;
  CHECK(prepare({.hidden_size = 5, .alignment = 16}, args));
  CHECK(contains(refusal_after({.hidden_size = 64, .heads = 2}, [](auto& a) { a.y_head_stride = 65; }),
                 "y_head_stride is 65 elements"));
}

TEST_CASE("negative strides are refused") {
  const RmsNormSpec spec{.hidden_size = 64, .heads = 2};
  CHECK(refusal_after(spec, [](auto& a) { a.x_row_stride = -64; }) ==
        "rms_norm: x_row_stride is -64, negative strides are not supported");
  CHECK(refusal_after(spec, [](auto& a) { a.y_head_stride = -64; }) ==
        "rms_norm: y_head_stride is -64, negative strides are not supported");
}

TEST_CASE("outputs whose rows share elements are refused, inputs may repeat them") {
  const RmsNormSpec rows{.hidden_size = 64};
  CHECK(refusal_after(rows, [](auto& a) { a.y_row_stride = 56; }) ==
        "rms_norm: y: strides of 56 and 64 elements make rows of 64 overlap");
  RmsNormArgs args = packed_args();
  args.x_row_stride = 8;
  CHECK(prepare(rows, args));

  const RmsNormSpec heads{.hidden_size = 64, .residual = Residual::round_then_norm, .heads = 2};
  const auto with_strides = [&](Index row, Index head) {
    RmsNormArgs a = packed_args();
    a.residual_out_row_stride = row;
    a.residual_out_head_stride = head;
    return prepare(heads, a).has_value();
  };
  CHECK(with_strides(128, 64));
  CHECK(with_strides(136, 72));
  CHECK(with_strides(64, 192));  // heads outside, three tokens inside
  CHECK(!with_strides(64, 64));  // the second head of a token is the first of the next
  CHECK(!with_strides(120, 64));
  CHECK(!with_strides(64, 184));
  CHECK(!with_strides(128, 56));
}

TEST_CASE("of a single row or head the stride does not matter") {
  RmsNormArgs args = packed_args();
  args.rows = 1;
  args.x_row_stride = 1;
  args.y_row_stride = -3;
  args.y_head_stride = 7;
  CHECK(prepare({.hidden_size = 64}, args));
  CHECK(args.y_row_stride == 64);
  CHECK(args.y_head_stride == 64);
  args = packed_args();
  args.rows = 1;
  args.y_row_stride = 1;
  CHECK(prepare({.hidden_size = 64, .heads = 2}, args));
}

TEST_CASE("extents that no address space holds are refused, not wrapped around") {
  const RmsNormSpec spec{.hidden_size = 64};
  const char* too_far = "exceed 2^63 bytes";
  CHECK(contains(refusal_after(spec, [](auto& a) { a.x_row_stride = kHuge - 7; }), too_far));
  CHECK(contains(refusal_after(spec, [](auto& a) { a.x_row_stride = Index{1} << 61; }), too_far));
  const RmsNormSpec heads{.hidden_size = 64, .heads = 65536};
  CHECK(contains(refusal_after(heads, [](auto& a) { a.x_head_stride = Index{1} << 50; }), too_far));
  CHECK(contains(refusal_after(heads,
                               [](auto& a) {
                                 a.x_head_stride = Index{1} << 45;
                                 a.x_row_stride = Index{1} << 61;
                               }),
                 too_far));
  RmsNormArgs args = packed_args();
  args.x_row_stride = Index{1} << 60;  // 2^62 bytes in all: absurd, but well defined
  CHECK(prepare(spec, args));
}

TEST_CASE("in place needs the same strides") {
  const RmsNormSpec spec{.hidden_size = 64, .residual = Residual::round_then_norm};
  RmsNormArgs args = packed_args();
  args.y = const_cast<void*>(args.x);
  args.residual_out = const_cast<void*>(args.residual_in);
  CHECK(prepare(spec, args));
  args.x_row_stride = args.y_row_stride = 0;
  args.y_row_stride = 128;
  CHECK(refusal(spec, args) ==
        "rms_norm: y is x, but their strides are 128 and 64 against 64 and 64 elements");
  args.x_row_stride = 128;
  CHECK(prepare(spec, args));
  args.residual_in_row_stride = 72;
  CHECK(contains(refusal(spec, args), "residual_out is residual_in, but"));
}

TEST_CASE("two results in the same memory are refused") {
  CHECK(refusal_after({.hidden_size = 64, .residual = Residual::round_then_norm}, [](auto& a) {
          a.residual_out = a.y;
        }) == "rms_norm: y and residual_out are the same memory");
}

TEST_CASE("the arguments of a spec are those of its tensors, and lie where the struct has them") {
  const auto names = [](const RmsNormSpec& spec) {
    std::string text;
    for (const Argument& argument : arguments_of_rms_norm(normalize_rms_norm(spec).value())) {
      text += std::string(argument.name) + (argument.required ? "! " : " ");
    }
    return text;
  };
  CHECK(names({.hidden_size = 8, .has_weight = false}) == "x! y! rows epsilon x_row_stride y_row_stride ");
  CHECK(names({.hidden_size = 8, .store_rstd = true}) ==
        "x! y! weight! rstd! rows epsilon x_row_stride y_row_stride ");
  const RmsNormSpec full{.hidden_size = 8,
                         .weight_dtype = f32,
                         .residual = Residual::round_then_norm,
                         .store_rstd = true,
                         .heads = 2};
  CHECK(names(full) ==
        "x! y! weight! residual_in! residual_out! rstd! rows epsilon x_row_stride y_row_stride "
        "residual_in_row_stride residual_out_row_stride x_head_stride y_head_stride "
        "residual_in_head_stride residual_out_head_stride ");

  RmsNormSpec quantised = full;
  quantised.y_dtype = lathe::e4m3;
  quantised.y_scale = OutputScale::per_block;
  CHECK(contains(names(quantised), "rstd! rows epsilon y_scale_out! amax_floor x_row_stride "));
  CHECK(contains(names(quantised), " y_scale_row_stride y_scale_head_stride y_scale_block_stride "));
  CHECK(
      names({.hidden_size = 8, .has_weight = false, .y_dtype = lathe::e4m3, .y_scale = OutputScale::given}) ==
      "x! y! rows epsilon y_scale_in! x_row_stride y_row_stride ");
  CHECK(names({.hidden_size = 8,
               .has_weight = false,
               .y_dtype = lathe::e4m3,
               .y_scale = OutputScale::per_tensor}) ==
        "x! y! rows epsilon y_scale_out! amax_floor x_row_stride y_row_stride workspace ");

  // Each has a place of its own.
  std::set<std::size_t> offsets;
  for (const Argument& argument : arguments_of_rms_norm(normalize_rms_norm(quantised).value())) {
    INFO(argument.name);
    CHECK(offsets.insert(argument.offset).second);
    CHECK(argument.offset < sizeof(RmsNormArgs));
    CHECK(!argument.doc.empty());
  }
}

TEST_CASE("an argument knows its kind, dtype and shape") {
  const RmsNormSpec spec{.hidden_size = 8, .weight_dtype = f32, .store_rstd = true, .heads = 2};
  for (const Argument& argument : arguments_of_rms_norm(normalize_rms_norm(spec).value())) {
    INFO(argument.name);
    if (argument.name == "x") {
      CHECK(argument.kind == ArgumentKind::input);
      CHECK(argument.dtype == bf16);
      CHECK(argument.offset == offsetof(RmsNormArgs, x));
      REQUIRE(argument.shape.size() == 3);
      CHECK(argument.shape[0].symbol == "rows");
      CHECK(argument.shape[1].constant == 2);
      CHECK(argument.shape[2].constant == 8);
    } else if (argument.name == "weight") {
      CHECK(argument.dtype == f32);
      CHECK(argument.shape.size() == 1);
    } else if (argument.name == "rstd") {
      CHECK(argument.kind == ArgumentKind::output);
      CHECK(argument.dtype == f32);
      CHECK(argument.shape.size() == 2);
    } else if (argument.name == "epsilon") {
      CHECK(argument.kind == ArgumentKind::scalar);
      CHECK(argument.dtype == f32);
    } else if (argument.name == "rows") {
      CHECK(argument.dtype == lathe::i64);
    }
  }
}
