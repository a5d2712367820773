// lathe run with kv_gather and kv_scatter: pools, index maps and objects from files.
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/tools/program_run.h"
#include "tools/lathe/npy.h"

using namespace lathe;
using tests::ProgramRun;
using tools::NpyArray;
using tools::NpyType;

namespace {

/// A directory with arrays, and commands that use them.
class Workbench {
 public:
  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

  template <class T>
  void write(const std::string& name, NpyType type, std::vector<std::int64_t> shape,
             const std::vector<T>& values) {
    NpyArray array{.type = type, .shape = std::move(shape), .bytes = {}};
    array.bytes.resize(values.size() * sizeof(T));
    std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
    REQUIRE(tools::write_npy(path(name + ".npy"), array));
  }

  template <class T>
  std::vector<T> read(const std::string& name) const {
    const auto array = tools::read_npy(path(name + ".npy")).value();
    std::vector<T> values(array.bytes.size() / sizeof(T));
    std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
    return values;
  }

  ProgramRun run(const std::string& spec, std::vector<std::string> more) const {
    std::vector<std::string> arguments{"run", spec, "--target", "cpu", "--cache-dir", path("cache")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return tests::run_lathe(arguments);
  }

 private:
  tests::TempDir directory_;
};

}  // namespace

TEST_CASE("A gather reads a pool that holds all layers' tensors") {
  Workbench bench;
  // Two layers of [2 blocks, 2 slots, 3 bytes]; every byte is its own number.
  std::vector<std::uint8_t> pool(24);
  std::iota(pool.begin(), pool.end(), std::uint8_t{0});
  bench.write("pool", NpyType::u1, {2, 2, 2, 3}, pool);
  bench.write<std::int64_t>("slots", NpyType::i8, {2}, {3, 0});
  for (const char* pointers : {"", R"(, "pointers": 2)"}) {
    const std::string spec =
        std::string(R"({"op": "kv_gather", "src": [{"axes": "B N C", "base": "layer", "dtype": "u8",
        "layers": 2, "block_size": 2, "content": 3)") +
        pointers + R"(}], "dst": [{"axes": "L N C", "dtype": "u8", "layers": 2, "content": 3}],
        "src_index": {"kind": "slots", "dtype": "i64"}})";
    const auto run =
        bench.run(spec, {"--in", "src=" + bench.path("pool.npy"), "--in",
                         "src_index=" + bench.path("slots.npy"), "--out", "dst=" + bench.path("object.npy")});
    CHECK(run.err == "");
    CHECK(run.code == 0);
    CHECK(bench.read<std::uint8_t>("object") ==
          std::vector<std::uint8_t>{9, 10, 11, 0, 1, 2, 21, 22, 23, 12, 13, 14});
  }
}

TEST_CASE("A scatter changes the cache that it is given, and no more of it") {
  Workbench bench;
  bench.write<std::uint8_t>("rows", NpyType::u1, {3, 2}, {1, 2, 3, 4, 5, 6});
  bench.write<std::uint8_t>("cache", NpyType::u1, {2, 2, 2}, std::vector<std::uint8_t>(8, 99));
  bench.write<std::int32_t>("slots", NpyType::i4, {3}, {3, -1, 1});
  const std::string spec = R"({"op": "kv_scatter", "src": [{"axes": "N C", "dtype": "u8", "content": 2}],
      "dst": [{"axes": "B N C", "dtype": "u8", "block_size": 2, "content": 2}], "dst_index": {"kind": "slots"}})";
  const std::vector<std::string> inputs{"--in", "src=" + bench.path("rows.npy"),
                                        "--in", "dst=" + bench.path("cache.npy"),
                                        "--in", "dst_index=" + bench.path("slots.npy")};
  auto more = inputs;
  more.insert(more.end(), {"--out", "dst=" + bench.path("result.npy")});
  const auto run = bench.run(spec, more);
  CHECK(run.err == "");
  CHECK(run.code == 0);
  CHECK(bench.read<std::uint8_t>("result") == std::vector<std::uint8_t>{99, 99, 5, 6, 99, 99, 1, 2});
  // Without the cache there is nothing to change.
  const auto missing = bench.run(spec, {inputs[0], inputs[1], inputs[4], inputs[5]});
  CHECK(missing.code == 1);
  CHECK(missing.err.find("the input dst is missing") != std::string::npos);
}

TEST_CASE("A block table comes with offsets, of which there is one more than sequences") {
  Workbench bench;
  bench.write<std::uint8_t>("cache", NpyType::u1, {3, 2, 1}, {0, 1, 2, 3, 4, 5});
  bench.write<std::int32_t>("table", NpyType::i4, {2, 1}, {2, 0});
  bench.write<std::int32_t>("offsets", NpyType::i4, {3}, {0, 2, 3});
  const std::string spec = R"({"op": "kv_gather", "src": [{"axes": "B N C", "dtype": "u8", "block_size": 2,
      "content": 1}], "dst": [{"axes": "N C", "dtype": "u8", "content": 1}], "src_index": {"kind": "block_table"}})";
  const auto run = bench.run(
      spec, {"--in", "src=" + bench.path("cache.npy"), "--in", "src_index=" + bench.path("table.npy"), "--in",
             "src_offsets=" + bench.path("offsets.npy"), "--set", "tokens=3", "--out",
             "dst=" + bench.path("rows.npy")});
  CHECK(run.err == "");
  CHECK(bench.read<std::uint8_t>("rows") == std::vector<std::uint8_t>{4, 5, 0});
}

TEST_CASE("Steps that the spec leaves to the launch are set by name") {
  Workbench bench;
  // Two layers, 40 bytes apart, of 3 blocks 10 bytes apart of 2 slots 4 bytes apart; every byte is its own
  // number.
  std::vector<std::uint8_t> pool(40 + 20 + 4 + 3);
  std::iota(pool.begin(), pool.end(), std::uint8_t{0});
  bench.write("pool", NpyType::u1, {static_cast<std::int64_t>(pool.size())}, pool);
  bench.write<std::int32_t>("slots", NpyType::i4, {2}, {5, 2});
  const std::string spec = R"({"op": "kv_gather", "src": [{"axes": "B N C", "base": "layer", "dtype": "u8",
      "strides": [-1, -1, 0], "layers": 2, "block_size": 2, "content": 3, "alignment": 1}],
      "dst": [{"axes": "L N C", "dtype": "u8", "layers": 2, "content": 3}], "src_index": {"kind": "slots"}})";
  const std::vector<std::string> arguments{"--in",  "src=" + bench.path("pool.npy"),
                                           "--in",  "src_index=" + bench.path("slots.npy"),
                                           "--set", "src_blocks=3",
                                           "--set", "src_table_step=40",
                                           "--set", "src_block_step=10",
                                           "--set", "src_slot_step=4",
                                           "--out", "dst=" + bench.path("object.npy")};
  const auto run = bench.run(spec, arguments);
  CHECK(run.err == "");
  CHECK(run.code == 0);
  CHECK(bench.read<std::uint8_t>("object") ==
        std::vector<std::uint8_t>{24, 25, 26, 10, 11, 12, 64, 65, 66, 50, 51, 52});
  // Slots without blocks are what block_step counts, strided content what piece_step does.
  const std::string columns = R"({"op": "kv_gather", "src": [{"axes": "C N", "dtype": "u8",
      "strides": [-1, -1], "content": 2, "alignment": 1}], "dst": [{"axes": "N C", "dtype": "u8", "content": 2}],
      "src_index": {"kind": "slots"}})";
  const auto other = bench.run(
      columns, {"--in", "src=" + bench.path("pool.npy"), "--in", "src_index=" + bench.path("slots.npy"),
                "--set", "src_blocks=6", "--set", "src_block_step=3", "--set", "src_piece_step=20", "--out",
                "dst=" + bench.path("columns.npy")});
  CHECK(other.err == "");
  CHECK(bench.read<std::uint8_t>("columns") == std::vector<std::uint8_t>{15, 35, 6, 26});
  // Those that the spec fixes are no arguments.
  auto fixed = arguments;
  fixed.insert(fixed.end(), {"--set", "src_head_step=4"});
  const auto unknown = bench.run(spec, fixed);
  CHECK(unknown.code == 1);
  CHECK(unknown.err.find("src_head_step") != std::string::npos);
}
