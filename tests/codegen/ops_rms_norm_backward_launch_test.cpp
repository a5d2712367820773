// What a launch of rms_norm_backward is checked for, and how its rows are divided.
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "codegen/ops/rms_norm_backward.h"
#include "tests/support/catch.h"

using namespace lathe;
using namespace lathe::codegen;

namespace {

constexpr Index kHuge = std::numeric_limits<Index>::max();

/// A multiple of 16 and nothing more, and `offset`. Nothing is read from it.
void* address(std::uintptr_t tensor, std::uintptr_t offset = 0) {
  return reinterpret_cast<void*>(tensor * 0x1000'0000 + 16 + offset);
}

/// Tightly packed arguments for 3 tokens.
RmsNormBackwardArgs packed_args() {
  return {.dy = address(1),
          .x = address(2),
          .weight = address(3),
          .rstd = static_cast<const float*>(address(4)),
          .dresidual = address(5),
          .dx = address(6),
          .dw = address(7),
          .rows = 3,
          .workspace = address(8),
          .workspace_bytes = 1 << 20};
}

/// The entries of a kernel: on a GPU of 10 processors or a CPU of 2 threads.
struct Site {
  std::array<EntryPoint, 3> entries;
  std::size_t first = 1;
  int processors = 10;

  static Site in_registers(unsigned cluster = 1, std::int64_t rows_per_block = 4) {
    return {{{{},
              {"rows", {.block = {256}, .cluster = {cluster}, .work_per_block = rows_per_block}},
              {"dw", {.block = {256}, .work_per_block = 32}}}}};
  }
  static Site by_columns() {
    return {{{{"sums", {.block = {512}}},
              {"columns", {.block = {256}, .work_per_block = 2048}},
              {"dw", {.block = {256}, .work_per_block = 32}}}},
            0};
  }
  static Site on_cpu(int threads = 2) {
    return {{{{}, {"rows", {.work_per_block = 16}}, {"dw", {.work_per_block = 256}}}}, 1, threads};
  }
  LaunchSite of(bool store_dw) const {
    return {.entries = std::span(entries).subspan(first, 3 - first - (store_dw ? 0 : 1)),
            .processors = processors};
  }
};

Result<Grids> prepare(const RmsNormBackwardSpec& given, RmsNormBackwardArgs& args,
                      const Site& site = Site::in_registers()) {
  const KernelSpec spec = normalize_rms_norm_backward(given).value();
  return prepare_rms_norm_backward(spec, site.of(std::get<RmsNormBackwardSpec>(spec).store_dw),
                                   std::as_writable_bytes(std::span(&args, 1)));
}

std::size_t workspace_of(const RmsNormBackwardSpec& given, Index rows, const Site& site) {
  const KernelSpec spec = normalize_rms_norm_backward(given).value();
  const RmsNormBackwardArgs args{.rows = rows};
  return workspace_bytes_of_rms_norm_backward(spec, site.of(std::get<RmsNormBackwardSpec>(spec).store_dw),
                                              std::as_bytes(std::span(&args, 1)))
      .value();
}

template <class Change>
Error error_after(const RmsNormBackwardSpec& spec, Change change, const Site& site = Site::in_registers()) {
  RmsNormBackwardArgs args = packed_args();
  change(args);
  const auto grids = prepare(spec, args, site);
  REQUIRE(!grids);
  CHECK(grids.error().code == ErrorCode::invalid_argument);
  CHECK(grids.error().stage == Stage::launch);
  return grids.error();
}

template <class Change>
std::string refusal_after(const RmsNormBackwardSpec& spec, Change change) {
  return error_after(spec, change).message;
}

}  // namespace

TEST_CASE("rms_norm_backward: strides that are left out become those of packed rows") {
  RmsNormBackwardArgs args = packed_args();
  REQUIRE(prepare({.hidden_size = 64, .heads = 4, .has_dresidual = true}, args));
  for (const Index stride :
       {args.dy_row_stride, args.x_row_stride, args.dresidual_row_stride, args.dx_row_stride})
    CHECK(stride == 256);
  for (const Index stride :
       {args.dy_head_stride, args.x_head_stride, args.dresidual_head_stride, args.dx_head_stride})
    CHECK(stride == 64);
  args = packed_args();
  REQUIRE(prepare({.hidden_size = 64, .store_dx = false}, args));
  CHECK(args.dx_row_stride == 0);  // not looked at
}

TEST_CASE("rms_norm_backward: a tensor that the spec uses must not be null, others may be") {
  const RmsNormBackwardSpec full{.hidden_size = 64, .has_dresidual = true};
  CHECK(refusal_after(full, [](auto& a) { a.dy = nullptr; }) == "rms_norm_backward: dy is null");
  CHECK(refusal_after(full, [](auto& a) { a.x = nullptr; }) == "rms_norm_backward: x is null");
  CHECK(refusal_after(full, [](auto& a) { a.weight = nullptr; }) == "rms_norm_backward: weight is null");
  CHECK(refusal_after(full, [](auto& a) { a.rstd = nullptr; }) == "rms_norm_backward: rstd is null");
  CHECK(refusal_after(full, [](auto& a) { a.dresidual = nullptr; }) ==
        "rms_norm_backward: dresidual is null");
  CHECK(refusal_after(full, [](auto& a) { a.dx = nullptr; }) == "rms_norm_backward: dx is null");
  CHECK(refusal_after(full, [](auto& a) { a.dw = nullptr; }) == "rms_norm_backward: dw is null");
  CHECK(refusal_after(full, [](auto& a) { a.workspace = nullptr; }) ==
        "rms_norm_backward: workspace is null");
  RmsNormBackwardArgs args = packed_args();
  args.weight = args.rstd = nullptr;
  args.dx = nullptr;
  CHECK(prepare({.hidden_size = 64, .load_rstd = false, .store_dx = false}, args));
  args = packed_args();
  args.dw = args.workspace = nullptr;
  CHECK(prepare({.hidden_size = 64, .store_dw = false}, args));
}

TEST_CASE("rms_norm_backward: addresses and strides are as aligned as the spec says") {
  const RmsNormBackwardSpec spec{.hidden_size = 64, .dw_dtype = f32};
  CHECK(refusal_after(spec, [](auto& a) { a.dy = address(1, 8); }) ==
        "rms_norm_backward: dy is 0x10000018, not a multiple of 16 bytes");
  CHECK(refusal_after(spec, [](auto& a) { a.weight = address(3, 8); }) ==
        "rms_norm_backward: weight is 0x30000018, not a multiple of 16 bytes");
  CHECK(refusal_after(spec, [](auto& a) { a.dw = address(7, 2); }) ==
        "rms_norm_backward: dw is 0x70000012, not a multiple of 4 bytes");
  CHECK(refusal_after(spec, [](auto& a) { a.workspace = address(8, 8); }) ==
        "rms_norm_backward: workspace is 0x80000018, not a multiple of 16 bytes");
  const Error stride = error_after(spec, [](auto& a) { a.dx_row_stride = 68; });
  CHECK(stride.message ==
        "rms_norm_backward: dx_row_stride is 68 elements of 2 bytes, not a multiple of 16 bytes");
  CHECK(stride.hint == "pad the rows, or compile the kernel with alignment=8");
  CHECK(refusal_after(spec, [](auto& a) { a.x_row_stride = -64; }) ==
        "rms_norm_backward: x_row_stride is -64, negative strides are not supported");
  // dw is written element by element: its own alignment does.
  RmsNormBackwardArgs args = packed_args();
  args.dw = address(7, 4);
  CHECK(prepare(spec, args));
}

TEST_CASE("rms_norm_backward: rows of dx are apart, those of inputs may repeat") {
  const RmsNormBackwardSpec spec{.hidden_size = 64};
  CHECK(refusal_after(spec, [](auto& a) { a.dx_row_stride = 56; }) ==
        "rms_norm_backward: dx: strides of 56 and 64 elements make rows of 64 overlap");
  RmsNormBackwardArgs args = packed_args();
  args.dy_row_stride = 8;
  CHECK(prepare(spec, args));
}

TEST_CASE("rms_norm_backward: in place needs the same strides") {
  const RmsNormBackwardSpec spec{.hidden_size = 64, .has_dresidual = true};
  const auto in_place = [&](auto pointer, const char* message) {
    RmsNormBackwardArgs args = packed_args();
    args.dx = const_cast<void*>(args.*pointer);
    CHECK(prepare(spec, args));
    CHECK(refusal_after(spec, [&](auto& a) {
            a.dx = const_cast<void*>(a.*pointer);
            a.dx_row_stride = 128;
          }) == message);
  };
  in_place(&RmsNormBackwardArgs::dy,
           "rms_norm_backward: dx is dy, but their strides are 128 and 64 against 64 and 64 elements");
  in_place(&RmsNormBackwardArgs::x,
           "rms_norm_backward: dx is x, but their strides are 128 and 64 against 64 and 64 elements");
  in_place(&RmsNormBackwardArgs::dresidual,
           "rms_norm_backward: dx is dresidual, but their strides are 128 and 64 against 64 and 64 elements");
}

TEST_CASE("rms_norm_backward: counts and epsilon are checked") {
  const RmsNormBackwardSpec spec{.hidden_size = 64, .load_rstd = false};
  CHECK(refusal_after(spec, [](auto& a) { a.rows = -1; }) ==
        "rms_norm_backward: rows is -1, allowed are 0 to 2^46");
  CHECK(refusal_after(spec, [](auto& a) { a.rows = kHuge; }) ==
        "rms_norm_backward: rows is 9223372036854775807, allowed are 0 to 2^46");
  CHECK(refusal_after(spec, [](auto& a) { a.epsilon = -1e-6f; }) ==
        "rms_norm_backward: epsilon is -1e-06, it must be finite and not negative");
  CHECK(refusal_after(spec, [](auto& a) { a.epsilon = NAN; }) ==
        "rms_norm_backward: epsilon is nan, it must be finite and not negative");
  RmsNormBackwardArgs args = packed_args();
  args.epsilon = -1;
  CHECK(prepare({.hidden_size = 64}, args));  // not used where rstd is loaded
}

TEST_CASE("rms_norm_backward: more rows than a grid takes are refused, with what else to do") {
  const Error error = error_after(
      {.hidden_size = 1, .store_dw = false},
      [](auto& a) {
        a.rows = 0x80000000;
        a.workspace_bytes = kHuge;
      },
      Site::by_columns());
  CHECK(error.message == "rms_norm_backward: rows * heads is 2147483648, more than a grid of 2^31 - 1 takes");
  CHECK(error.hint == "launch it in parts, the later ones with accumulate_dw");
}

TEST_CASE("rms_norm_backward: a GPU gets as many strips as run at a time") {
  // 512 threads per processor: two blocks of 256, four rows each.
  const RmsNormBackwardSpec spec{.hidden_size = 64};
  RmsNormBackwardArgs args = packed_args();
  args.rows = 1000;
  const Grids grids = prepare(spec, args).value();
  CHECK(args.strips == 20);
  CHECK(grids[0].x == 20);
  CHECK(grids[1].x == 2);  // 32 columns each
  CHECK(grids[2].x == 0);
  // Fewer where there are fewer rows.
  args = packed_args();
  args.rows = 9;
  CHECK(prepare(spec, args).value()[0].x == 3);
  CHECK(args.strips == 3);
  // A cluster does a strip together.
  args = packed_args();
  args.rows = 1000;
  CHECK(prepare(spec, args, Site::in_registers(4, 1)).value()[0].x == 20);
  CHECK(args.strips == 5);
  // Each head with a weight of its own has strips of its own.
  args = packed_args();
  args.rows = 1000;
  CHECK(prepare({.hidden_size = 64, .heads = 3, .weight_per_head = true}, args).value()[1].x == 6);
  CHECK(args.strips == 18);
}

TEST_CASE("rms_norm_backward: rows by columns take a block per row and blocks per strip and columns") {
  const RmsNormBackwardSpec spec{.hidden_size = 65536};
  RmsNormBackwardArgs args = packed_args();
  args.rows = 5;
  args.workspace_bytes = 1 << 24;
  const Grids grids = prepare(spec, args, Site::by_columns()).value();
  CHECK(grids[0].x == 5);
  // Eight blocks per processor, 32 per strip: two strips.
  CHECK(args.strips == 2);
  CHECK(grids[1].x == 64);
  CHECK(grids[2].x == 2048);
  // dw alone needs no sums where rstd is there.
  args = packed_args();
  args.workspace_bytes = 1 << 24;
  CHECK(prepare({.hidden_size = 65536, .store_dx = false}, args, Site::by_columns()).value()[0].x == 0);
  CHECK(prepare({.hidden_size = 65536, .load_rstd = false, .store_dx = false}, args, Site::by_columns())
            .value()[0]
            .x == 3);
}

TEST_CASE("rms_norm_backward: how a CPU divides rows does not depend on its threads") {
  const RmsNormBackwardSpec spec{.hidden_size = 1000};
  RmsNormBackwardArgs two = packed_args();
  RmsNormBackwardArgs many = packed_args();
  two.rows = many.rows = 100;
  const Grids grids = prepare(spec, two, Site::on_cpu(2)).value();
  CHECK(grids == prepare(spec, many, Site::on_cpu(64)).value());
  CHECK(grids[0].x == 7);  // 16 rows each at least
  CHECK(grids[1].x == 4);  // 256 columns each
  CHECK(two.strips == 7);
  two.rows = 1000000;
  CHECK(prepare(spec, two, Site::on_cpu()).value()[0].x == 128);
}

TEST_CASE("rms_norm_backward: the workspace is a partial dw per strip, and two floats per long row") {
  CHECK(workspace_of({.hidden_size = 100}, 9, Site::in_registers()) == 3 * 100 * 4);
  CHECK(workspace_of({.hidden_size = 100}, 0, Site::in_registers()) == 0);
  CHECK(workspace_of({.hidden_size = 100, .store_dw = false}, 9, Site::in_registers()) == 0);
  CHECK(workspace_of({.hidden_size = 100}, 9, Site::on_cpu()) == 128 * 4);  // whole vectors
  CHECK(workspace_of({.hidden_size = 65536}, 5, Site::by_columns()) == 2 * 65536 * 4 + 5 * 8);
  CHECK(workspace_of({.hidden_size = 65536, .store_dw = false}, 5, Site::by_columns()) == 5 * 8);
  const auto need = static_cast<Index>(workspace_of({.hidden_size = 100}, 9, Site::in_registers()));
  RmsNormBackwardArgs args = packed_args();
  args.rows = 9;
  args.workspace_bytes = need;
  CHECK(prepare({.hidden_size = 100}, args));
  const Error error = error_after({.hidden_size = 100}, [](auto& a) {
    a.rows = 9;
    a.workspace_bytes = 1199;
  });
  CHECK(error.message == "rms_norm_backward: workspace_bytes is 1199, this launch needs 1200");
  CHECK(error.hint == "allocate what Kernel::workspace_bytes() says for these arguments");
}

TEST_CASE("rms_norm_backward: without rows dw becomes zero, or stays what it is") {
  RmsNormBackwardArgs args{.dw = address(7)};
  const Grids grids = prepare({.hidden_size = 64}, args).value();
  CHECK(grids[0].x == 0);
  CHECK(grids[1].x == 2);
  CHECK(prepare({.hidden_size = 64, .accumulate_dw = true}, args).value()[1].x == 0);
  args.dw = nullptr;
  CHECK(prepare({.hidden_size = 64, .store_dw = false}, args).value()[0].x == 0);
  CHECK(prepare({.hidden_size = 64}, args).error().message == "rms_norm_backward: dw is null");
}
