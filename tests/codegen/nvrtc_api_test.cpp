#include "codegen/nvrtc_api.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/codegen/nvrtc_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using lathe::Error;
using lathe::ErrorCode;
using lathe::codegen::kNvrtcSuccess;
using lathe::codegen::NvrtcApi;

namespace {

Error error_of(const std::string& path) {
  const auto api = NvrtcApi::open(path);
  REQUIRE(!api);
  CHECK(api.error().code == ErrorCode::toolchain_missing);
  CHECK(api.error().stage == lathe::Stage::compile);
  CHECK(api.error().hint.find("pip install nvidia-cuda-nvrtc") != std::string::npos);
  CHECK(api.error().hint.find("LATHE_NVRTC") != std::string::npos);
  return api.error();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a library that is not there is named, and nothing else is tried") {
  const std::string message = error_of("/nowhere/libnvrtc.so.13").message;
  CHECK(message.starts_with("NVRTC was not found: /nowhere/libnvrtc.so.13: "));
  CHECK(!contains(message, ";"));
}

TEST_CASE("a file that is no library is refused with the loader's reason") {
  const lathe::tests::TempDir directory;
  const std::string path = (directory.path() / "libnvrtc.so.13").string();
  std::ofstream(path) << "not a library";
  CHECK(contains(error_of(path).message, path));
  // The same through the directory.
  CHECK(contains(error_of(directory.path().string()).message, path));
}

TEST_CASE("a library that is not NVRTC is refused, naming what it lacks") {
  CHECK(error_of("libdl.so.2").message == "NVRTC was not found: libdl.so.2 has no nvrtcVersion");
}

TEST_CASE("a directory without NVRTC says what was looked for") {
  const lathe::tests::TempDir directory;
  CHECK(contains(error_of(directory.path().string()).message, "/libnvrtc.so.13"));
}

TEST_CASE("an installed NVRTC is found and told apart from other builds") {
  const auto api = NvrtcApi::open(lathe::tests::nvrtc_path());
  if (!api) {
    WARN("skipped: " << api.error().message);
    return;
  }
  const NvrtcApi& nvrtc = **api;
  CHECK(nvrtc.major >= 12);
  CHECK(nvrtc.minor >= 0);
  CHECK(contains(nvrtc.path, "nvrtc"));
  REQUIRE(!nvrtc.build_id.empty());
  const bool is_hex = nvrtc.build_id.find_first_not_of("0123456789abcdef") == std::string::npos;
  CHECK((is_hex || nvrtc.build_id.starts_with("size-")));
  CHECK(std::string(nvrtc.error_text(kNvrtcSuccess)) == "NVRTC_SUCCESS");

  SECTION("and by its directory, as a wheel or a toolkit lays it out") {
    const lathe::tests::TempDir directory;
    const auto folder = directory.path() / "nvidia/cuda_nvrtc/lib";
    std::filesystem::create_directories(folder);
    const std::string name = nvrtc.major >= 13 ? "libnvrtc.so.13" : "libnvrtc.so.12";
    std::filesystem::create_symlink(std::filesystem::absolute(nvrtc.path), folder / name);
    const auto again = NvrtcApi::open(directory.path().string());
    REQUIRE(again);
    CHECK((*again)->build_id == nvrtc.build_id);
  }
}
