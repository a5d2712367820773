// cp.async.bulk.tensor: loads and stores of boxes.
#include <array>
#include <cstring>

#include "tests/runtime/ptx/sample_tensor.h"

using namespace lathe::tests;
using lathe::DType;
using Corner = std::array<std::int64_t, 5>;

namespace {

std::string load_of(const SampleTensor& tensor, const Corner& corner, std::string_view map = "%map") {
  return fmt::format(
      "cp.async.bulk.tensor.{}d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [buffer], [{}, {}], "
      "[bars];",
      tensor.spec.rank, map, coordinates(tensor, corner));
}

std::string store_of(const SampleTensor& tensor, const Corner& corner) {
  return fmt::format("cp.async.bulk.tensor.{}d.global.shared::cta.bulk_group [%map, {}], [buffer];",
                     tensor.spec.rank, coordinates(tensor, corner));
}

void check_load(SampleTensor& tensor, const Corner& corner, unsigned seed = 0) {
  const std::string body = tensor_load_body(tensor, load_of(tensor, corner));
  INFO(body);
  AsyncMachine machine({}, seed, tensor.box_bytes() / 4);
  const auto map = tensor.upload_to(machine);
  REQUIRE(machine.run_with(async_kernel(body), map) == "");
  CHECK(std::memcmp(machine.result, tensor.box_at(corner).data(), tensor.box_bytes()) == 0);
}

void check_store(SampleTensor& tensor, const Corner& corner) {
  const std::string body = tensor_store_body(tensor, store_of(tensor, corner));
  INFO(body);
  AsyncMachine machine({}, 0, tensor.box_bytes() / 4);
  const auto map = tensor.upload_to(machine);
  REQUIRE(machine.run_with(async_kernel(body), map) == "");
  std::vector<std::byte> expected = tensor.bytes;
  tensor.for_each_element(corner, [&](std::size_t from, std::int64_t to) {
    if (to < 0) return;
    std::memcpy(&expected[static_cast<std::size_t>(to)], reinterpret_cast<std::byte*>(machine.source) + from,
                size_of(tensor.spec.dtype));
  });
  CHECK(tensor.download() == expected);
}

/// What a run with the tensor's map reports.
std::string error_of(SampleTensor& tensor, const std::string& body, unsigned seed = 0) {
  AsyncMachine machine({}, seed, 4096);
  const auto map = tensor.upload_to(machine);
  return machine.run_with(async_kernel(body), map);
}

bool contains(const std::string& text, std::string_view part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

struct Shape {
  DType dtype;
  std::vector<std::uint64_t> extents;
  std::vector<std::uint32_t> box;
  Swizzle swizzle;
};

const std::vector<Shape> kShapes{
    {lathe::f32, {100}, {64}, Swizzle::none},
    {lathe::u8, {1000}, {256}, Swizzle::none},
    {lathe::bf16, {200, 30}, {64, 16}, Swizzle::none},
    {lathe::bf16, {200, 30}, {64, 16}, Swizzle::bytes_128},
    {lathe::f32, {70, 40}, {16, 24}, Swizzle::bytes_64},
    {lathe::e4m3, {99, 40}, {32, 17}, Swizzle::bytes_32},
    {lathe::i64, {21, 9}, {16, 5}, Swizzle::bytes_128},
    {lathe::f16, {72, 7, 5}, {64, 3, 4}, Swizzle::bytes_128},
    {lathe::f16, {50, 7, 5}, {8, 3, 4}, Swizzle::none},
    {lathe::i32, {20, 5, 4, 3}, {8, 3, 2, 2}, Swizzle::bytes_32},
    {lathe::bf16, {40, 5, 4, 3, 2}, {32, 2, 3, 2, 2}, Swizzle::bytes_64},
};

SampleTensor tensor_of(const Shape& shape) {
  return {shape.dtype, shape.extents, shape.box, shape.swizzle};
}

/// In the middle of the tensor, and beyond it at either side of each dimension.
std::vector<Corner> corners_of(const Shape& shape) {
  std::vector<Corner> corners{{0, 0, 0, 0, 0}, {1, 1, 1, 1, 1}, {-1, -1, -1, -1, -1}};
  for (std::size_t i = 0; i < shape.extents.size(); ++i) {
    const auto extent = static_cast<std::int64_t>(shape.extents[i]);
    const std::int64_t box = shape.box[i];
    for (const std::int64_t at :
         {-box, 1 - box, -box / 2, extent - box, extent - box + 1, extent - 1, extent}) {
      Corner corner{2, 0, 1, 0, 0};
      corner[i] = at;
      corners.push_back(corner);
    }
  }
  return corners;
}

}  // namespace

TEST_CASE("tensor loads of all ranks and swizzles, inside the tensor and beyond") {
  for (const Shape& shape : kShapes) {
    SampleTensor tensor = tensor_of(shape);
    for (const Corner& corner : corners_of(shape)) check_load(tensor, corner);
    check_load(tensor, {3, 1, 0, 1, 0}, 1);
  }
}

TEST_CASE("tensor stores of all ranks and swizzles, inside the tensor and beyond") {
  for (const Shape& shape : kShapes) {
    SampleTensor tensor = tensor_of(shape);
    for (const Corner& corner : corners_of(shape)) check_store(tensor, corner);
  }
}

TEST_CASE("forms of tensor loads") {
  SampleTensor tensor(lathe::bf16, {64, 32}, {64, 8}, Swizzle::bytes_128);
  const auto check = [&](const std::string& instruction) {
    INFO(instruction);
    AsyncMachine machine({}, 0, tensor.box_bytes() / 4);
    const auto map = tensor.upload_to(machine);
    const std::string prepare =
        "  mov.u32 %r20, 0;\n  mov.u32 %r21, 8;\n  mov.u64 %l9, 0;\n  mov.u16 %h0, 1;\n"
        "  prefetch.tensormap [%map];\n  prefetch.param.tensormap [map];\n"
        "  cp.async.bulk.prefetch.tensor.2d.L2.global [%map, {%r20, %r21}];\n"
        "  cp.async.bulk.prefetch.tensor.2d.L2.global.tile.L2::cache_hint [%map, {0, 0}], %l9;\n";
    REQUIRE(machine.run_with(async_kernel(prepare + tensor_load_body(tensor, instruction)), map) == "");
    CHECK(std::memcmp(machine.result, tensor.box_at({0, 8}).data(), tensor.box_bytes()) == 0);
  };
  check(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%buffer], [%map, {%r20, "
      "%r21}], "
      "[%bars];");
  check(
      "cp.async.bulk.tensor.2d.shared::cta.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint [buffer], "
      "[%map, "
      "{0, %r21}], [bars], %l9;");
  check(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
      "[buffer], "
      "[%map, {0, 8}], [bars], %h0;");
  check(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster.L2::"
      "cache_hint "
      "[buffer], [%map, {0, 8}], [bars], 1, %l9;");
}

TEST_CASE("a tensor map may lie in global memory") {
  SampleTensor tensor(lathe::bf16, {64, 32}, {64, 8}, Swizzle::none);
  AsyncMachine machine({}, 0, tensor.box_bytes() / 4);
  const auto map = tensor.upload_to(machine);
  const std::vector<std::byte> bytes(map.bytes.begin(), map.bytes.end());
  machine.source = reinterpret_cast<std::uint32_t*>(machine.upload(bytes));
  const std::string body = tensor_load_body(tensor, load_of(tensor, {0, 8}, "%from"));
  REQUIRE(machine.run_with(async_kernel(body)) == "");
  CHECK(std::memcmp(machine.result, tensor.box_at({0, 8}).data(), tensor.box_bytes()) == 0);
}

TEST_CASE("a tensor load to all blocks of a cluster") {
  // Each block loads a quarter of the tile for all four.
  SampleTensor tensor(lathe::bf16, {64, 64}, {64, 8}, Swizzle::bytes_128);
  const std::size_t tile_words = tensor.box_bytes();  // four boxes
  const std::string body = init_bars({1}) +
                           fmt::format(R"(
  @%leader mbarrier.arrive.expect_tx.shared.b64 _, [bars], {0};
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
  mad.lo.u32 %r0, %rank, {1}, %buffer;
  shl.b32 %r1, %rank, 3;
  mov.u16 %h0, 15;
  @%leader cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r0], [%map, {{0, %r1}}], [bars], %h0;
)",
                                       tile_words * 4, tensor.box_bytes()) +
                           wait_for("bars", "0") +
                           fmt::format(R"(
  mad.wide.u32 %to, %block, {0}, %to;
  shl.b32 %r0, %thread, 2;
GIVE:
  add.u32 %r1, %r0, %buffer;
  setp.lt.u32 %p0, %r0, {0};
  @%p0 ld.shared.u32 %r2, [%r1];
  cvt.u64.u32 %l0, %r0;
  add.u64 %l0, %l0, %to;
  @%p0 st.global.u32 [%l0], %r2;
  add.u32 %r0, %r0, 128;
  @%p0 bra GIVE;
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
)",
                                       tile_words * 4);
  for (unsigned seed = 0; seed < 4; ++seed) {
    AsyncMachine machine({.blocks = 4, .cluster = 4}, seed, tile_words * 4);
    const auto map = tensor.upload_to(machine);
    REQUIRE(machine.run_with(async_kernel(body), map) == "");
    for (unsigned block = 0; block < 4; ++block) {
      for (unsigned part = 0; part < 4; ++part) {
        const auto* box =
            reinterpret_cast<const std::byte*>(machine.result) + (block * 4 + part) * tensor.box_bytes();
        CHECK(std::memcmp(box, tensor.box_at({0, part * 8}).data(), tensor.box_bytes()) == 0);
      }
    }
  }
}

TEST_CASE("mistakes with tensor loads are named") {
  SampleTensor tensor(lathe::bf16, {64, 32}, {64, 8}, Swizzle::bytes_128);
  const std::string kAround =
      "  add.u64 %l1, %map, 8;\n  add.u64 %l2, %map, 64;\n  add.u64 %l3, %map, 128;\n";
  const auto load = [&](const std::string& operands) {
    return error_of(tensor, kAround + init_bars({1}) +
                                "  @%leader cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::"
                                "complete_tx::bytes " +
                                operands + ";\n" + wait_for("bars", "1"));
  };
  CHECK(contains(load("[buffer+512], [%map, {0, 0}], [bars]"), "which is not a multiple of 1024"));
  CHECK(
      contains(load("[buffer+32768], [%map, {0, 0}], [bars]"), "access out of bounds: writes 1024 bytes of"));
  CHECK(contains(load("[buffer], [%l2, {0, 0}], [bars]"), "what it takes for a tensor map is none"));
  CHECK(contains(load("[buffer], [%l3, {0, 0}], [bars]"), "what it takes for a tensor map is none"));
  CHECK(contains(load("[buffer], [%l1, {0, 0}], [bars]"), "which is not a multiple of 64"));
  CHECK(contains(load("[buffer], [%to, {0, 0}], [bars]"), "what it takes for a tensor map is none"));
  CHECK(contains(load("[buffer], [%l9, {0, 0}], [bars]"), "the address depends on it"));
  CHECK(contains(load("[buffer], [%map, {0, %r9}], [bars]"), "it is a coordinate of a tensor"));
  CHECK(contains(load("[buffer], [%map, {0, 0}], [bars+8]"), "it was never initialised"));
  CHECK(contains(load("[buffer], [%map, {0, 0}], [bars]"), "nothing has waited for it"));
  CHECK(contains(error_of(tensor,
                          "  mov.u64 %l0, buffer;\n  cvta.shared.u64 %l0, %l0;\n"
                          "  cp.async.bulk.prefetch.tensor.2d.L2.global [%l0, {0, 0}];\n"),
                 "a tensor map in shared memory"));
  CHECK(contains(error_of(tensor, "  cp.async.bulk.prefetch.tensor.1d.L2.global [%map, {0}];\n"),
                 "the tensor map has 2 dimensions, the instruction 1"));
  CHECK(
      contains(error_of(tensor, "  prefetch.tensormap [%to];\n"), "what it takes for a tensor map is none"));

  tensor.spec.swizzle = Swizzle::none;
  CHECK(contains(load("[buffer+64], [%map, {0, 0}], [bars]"), "which is not a multiple of 128"));
}

TEST_CASE("a box that is larger than shared memory") {
  SampleTensor tensor(lathe::u8, {64, 8, 1, 1, 1}, {256, 256, 256, 256, 1}, Swizzle::none);
  const std::string load = load_of(tensor, {0, 0, 0, 0, 0});
  CHECK(contains(error_of(tensor, init_bars({1}) + "  @%leader " + load), "access out of bounds: writes"));
}

TEST_CASE("a tensor map that reaches beyond its memory") {
  SampleTensor tensor(lathe::bf16, {64, 32}, {64, 8}, Swizzle::none, false);
  tensor.spec.extents[1] = 33;
  const std::string load = tensor_load_body(tensor, load_of(tensor, {0, 25}));
  CHECK(contains(error_of(tensor, load), "access out of bounds: reads 128 bytes of global memory"));
  const std::string store = tensor_store_body(tensor, store_of(tensor, {0, 25}));
  CHECK(contains(error_of(tensor, store), "access out of bounds: writes 128 bytes of global memory"));
}

TEST_CASE("forms of tensor copies that are not run are refused") {
  SampleTensor tensor(lathe::bf16, {64, 32}, {64, 8}, Swizzle::none);
  const auto refused = [&](const std::string& instruction, const std::string& says) {
    INFO(instruction);
    CHECK(contains(error_of(tensor, "  " + instruction), says));
  };
  refused(
      "cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [buffer], [%map, "
      "{0, 0, "
      "0}], [bars], {%h0};",
      "tensor copies of mode .im2col are not run");
  refused(
      "cp.async.bulk.tensor.2d.shared::cta.global.tile::gather4.mbarrier::complete_tx::bytes [buffer], "
      "[%map, {0, 0, "
      "0, 0, 0}], [bars];",
      "tensor copies of mode .tile::gather4 are not run");
  refused(
      "cp.async.bulk.tensor.2d.global.shared::cta.tile::scatter4.bulk_group [%map, {0, 0, 0, 0, 0}], "
      "[buffer];",
      "tensor copies of mode .tile::scatter4 are not run");
  refused(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [buffer], [%map, {0}], "
      "[bars];",
      "there are 1 coordinates");
  refused(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [buffer], [%map], [bars];",
      "the tensor's coordinates are missing");
  refused(
      "cp.async.bulk.tensor.6d.shared::cluster.global.mbarrier::complete_tx::bytes [buffer], [%map, {0}], "
      "[bars];",
      "the number of dimensions is missing");
  refused(
      "cp.async.bulk.tensor.2d.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [buffer], [%map, {0, "
      "0}], "
      "[bars];",
      "a tensor is in .global");
  refused(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.cta_group::2 [buffer], "
      "[%map, {0, "
      "0}], [bars];",
      ".cta_group is not run");
}
