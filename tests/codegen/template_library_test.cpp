#include "codegen/template_library.h"

#include <filesystem>
#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using lathe::codegen::SourceFile;
using lathe::codegen::TemplateLibrary;

namespace {

std::vector<std::string> names_of(std::span<const SourceFile> files) {
  std::vector<std::string> names;
  for (const SourceFile& file : files) names.push_back(file.name);
  return names;
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("the library was built with the templates and the headers of the arguments") {
  const TemplateLibrary library = TemplateLibrary::embedded();
  for (const char* name : {"cuda/rms_norm.cu", "cpu/rms_norm.cpp", "lathe/args.h", "lathe/args_base.h",
                           "lathe/rms_norm_args.h", "lathe/rms_norm_backward_args.h", "lathe/rope_args.h"}) {
    INFO(name);
    const SourceFile* file = library.find(name);
    REQUIRE(file != nullptr);
    CHECK(file->name == name);
    CHECK(file->text.ends_with("\n"));
  }
  CHECK(library.find("lathe/args.h")->text.find("#include <lathe/rms_norm_args.h>") != std::string::npos);
  CHECK(library.find("rms_norm.cu") == nullptr);
  CHECK(library.find("") == nullptr);
  const auto names = names_of(library.files());
  CHECK(std::is_sorted(names.begin(), names.end()));
}

TEST_CASE("all that an embedded file includes is embedded too") {
  const TemplateLibrary library = TemplateLibrary::embedded();
  for (const SourceFile& file : library.files()) {
    INFO(file.name);
    CHECK(library.headers_of(file.name));
  }
}

TEST_CASE("headers are found through headers, once each, sorted") {
  const TemplateLibrary library({{"op.cu", "#include <lathe/args.h>\n#include \"b.cuh\"\n"},
                                 {"b.cuh", "  #  include \"a.cuh\"\n#include \"c.cuh\"\n"},
                                 {"a.cuh", "#include \"c.cuh\"\nint a;\n"},
                                 {"c.cuh", "// #include \"nothing.h\"\n#include \"b.cuh\""},
                                 {"lathe/args.h", ""},
                                 {"unused.cuh", ""}});
  CHECK(names_of(library.headers_of("op.cu").value()) ==
        std::vector<std::string>{"a.cuh", "b.cuh", "c.cuh", "lathe/args.h"});
  CHECK(library.headers_of("unused.cuh")->empty());
}

TEST_CASE("an include of something else is an error with file and line") {
  const TemplateLibrary library(
      {{"op.cu", "#include \"a.cuh\"\n"}, {"a.cuh", "#pragma once\n\n#include <cuda_fp16.h>\n"}});
  const auto headers = library.headers_of("op.cu");
  REQUIRE(!headers);
  CHECK(headers.error().code == lathe::ErrorCode::render_failed);
  CHECK(headers.error().message == "a.cuh:3: includes \"cuda_fp16.h\", which is no template");
}

TEST_CASE("a directory replaces the embedded templates, but not the headers of the arguments") {
  const lathe::tests::TempDir directory;
  write(directory.path() / "cuda/op.cu", "#include <lathe/args.h>\n#include \"common/a.h\"\n");
  write(directory.path() / "common/a.h", "int a;\n");
  write(directory.path() / "README.md", "not a template");
  const auto library = TemplateLibrary::from_directory(directory.path().string()).value();
  REQUIRE(library.find("cuda/op.cu") != nullptr);
  CHECK(library.find("common/a.h")->text == "int a;\n");
  CHECK(library.find("README.md") == nullptr);
  CHECK(library.find("cuda/rms_norm.cu") == nullptr);
  CHECK(names_of(library.headers_of("cuda/op.cu").value()) ==
        std::vector<std::string>{"common/a.h", "lathe/args.h", "lathe/args_base.h", "lathe/attention_args.h",
                                 "lathe/attention_merge_args.h", "lathe/kv_move_args.h",
                                 "lathe/linear_cross_entropy_args.h", "lathe/rms_norm_args.h",
                                 "lathe/rms_norm_backward_args.h", "lathe/rope_args.h"});
}

TEST_CASE("a directory that cannot be read is an error that names it and the setting") {
  const auto library = TemplateLibrary::from_directory("/no/such/directory");
  REQUIRE(!library);
  CHECK(library.error().code == lathe::ErrorCode::io_failed);
  CHECK(library.error().message.starts_with("template directory: /no/such/directory: "));
  CHECK(library.error().hint == "check LATHE_TEMPLATE_DIR or Options::template_dir");
}
