#include "codegen/clang_compiler.h"

#include <thread>
#include <vector>

#include "codegen/op.h"
#include "codegen/render.h"
#include "tests/support/catch.h"

using lathe::ErrorCode;
using lathe::Target;
using lathe::codegen::Compiler;
using lathe::codegen::KernelSource;
using lathe::codegen::make_clang_compiler;
using lathe::codegen::PayloadKind;
using lathe::codegen::TemplateLibrary;

namespace {

KernelSource source_of(std::string text) {
  return {.name = "cpu/sample.cpp", .text = std::move(text), .entries = {{"sample"}}};
}

const char* const kAnswer = "extern \"C\" int sample() { return 42; }\n";

lathe::Result<lathe::codegen::KernelBinary> compile(const KernelSource& source,
                                                    const std::string& target = "cpu:x86-64-v3") {
  return make_clang_compiler()->compile(source, Target::parse(target).value());
}

std::vector<std::string> levels() {
  return {"cpu:x86-64", "cpu:x86-64-v2", "cpu:x86-64-v3", "cpu:x86-64-v4",
          lathe::codegen::host_cpu_target().text()};
}

}  // namespace

TEST_CASE("Clang makes an object file and keeps the source's entries and launch facts") {
  KernelSource source = source_of(kAnswer);
  source.entries[0].launch.work_per_block = 7;
  const auto binary = compile(source);
  REQUIRE(binary.has_value());
  const auto* object = binary->find(PayloadKind::object);
  REQUIRE(object != nullptr);
  REQUIRE(object->bytes.size() > 4);
  CHECK(object->bytes[1] == std::byte{'E'});
  CHECK(binary->entries == source.entries);
  CHECK(binary->log.empty());
}

TEST_CASE("the same source gives the same bytes") {
  const auto first = compile(source_of(kAnswer));
  const auto second = compile(source_of(kAnswer));
  REQUIRE(first.has_value());
  CHECK(first->payloads == second->payloads);
}

TEST_CASE("a source that does not compile is an error with the log and its numbered lines") {
  const auto binary = compile(source_of("int first;\nint second = unknown_name;\n"));
  REQUIRE_FALSE(binary.has_value());
  const lathe::Error& error = binary.error();
  CHECK(error.code == ErrorCode::compile_failed);
  CHECK(error.message.find("cpu/sample.cpp") != std::string::npos);
  CHECK(error.log.find("cpu/sample.cpp:2:14: error: use of undeclared identifier 'unknown_name'") !=
        std::string::npos);
  CHECK(error.log.find("-ffp-contract=on") != std::string::npos);
  CHECK(error.excerpt.find("int second = unknown_name;") != std::string::npos);
}

TEST_CASE("an error in a header is shown in the header") {
  KernelSource source = source_of("#include \"cpu/part.h\"\n");
  source.headers = {{.name = "cpu/part.h", .text = "int good;\nbad line;\n"}};
  const auto binary = compile(source);
  REQUIRE_FALSE(binary.has_value());
  CHECK(binary.error().log.find("cpu/part.h:2:1: error") != std::string::npos);
  CHECK(binary.error().excerpt.find("bad line;") != std::string::npos);
}

TEST_CASE("headers come from memory, and only from there") {
  KernelSource source = source_of("#include \"lathe/part.h\"\nextern \"C\" int sample() { return kPart; }\n");
  source.headers = {{.name = "lathe/part.h", .text = "constexpr int kPart = 1;\n"}};
  CHECK(compile(source).has_value());
  for (const char* header : {"<stddef.h>", "<cmath>", "\"/etc/passwd\"", "<immintrin.h>"}) {
    INFO(header);
    const auto binary = compile(source_of(std::string("#include ") + header + "\n"));
    REQUIRE_FALSE(binary.has_value());
    CHECK(binary.error().log.find("file not found") != std::string::npos);
  }
}

TEST_CASE("warnings are kept in the log of a binary that is good") {
  const auto binary = compile(source_of("extern \"C\" int sample() { int unused_one; return 1; }\n"));
  REQUIRE(binary.has_value());
  CHECK(binary->log.find("unused variable 'unused_one'") != std::string::npos);
}

TEST_CASE("exceptions and run-time type information are off") {
  CHECK_FALSE(compile(source_of("extern \"C\" void sample() { throw 1; }")).has_value());
  CHECK_FALSE(compile(source_of("struct A { virtual ~A(); }; struct B : A {};"
                                "extern \"C\" bool sample(A* a) { return dynamic_cast<B*>(a) != nullptr; }"))
                  .has_value());
}

TEST_CASE("every template of the CPU compiles as it stands, for every level, without a warning") {
  const TemplateLibrary library = TemplateLibrary::embedded();
  int count = 0;
  for (const auto& file : library.files()) {
    if (!file.name.starts_with("cpu/") || !file.name.ends_with(".cpp")) continue;
    ++count;
    const KernelSource source{.name = file.name,
                              .text = file.text,
                              .headers = library.headers_of(file.name).value(),
                              .entries = {}};
    for (const std::string& level : levels()) {
      INFO(file.name << " for " << level);
      const auto binary = compile(source, level);
      REQUIRE(binary.has_value());
      CHECK(binary->log.empty());
    }
  }
  CHECK(count > 0);
}

TEST_CASE("eight threads may compile at once") {
  const auto compiler = make_clang_compiler();
  const auto expected = compile(source_of(kAnswer));
  REQUIRE(expected.has_value());
  std::vector<int> good(8);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < good.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) {
        // Half of them fail, so that the error path runs concurrently too.
        const bool is_bad = (i + static_cast<std::size_t>(round)) % 2 == 0;
        const auto binary =
            compiler->compile(source_of(is_bad ? "broken" : kAnswer), Target::parse("cpu:x86-64-v3").value());
        if (is_bad ? !binary.has_value() : binary.has_value() && binary->payloads == expected->payloads)
          ++good[i];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == std::vector<int>(8, 5));
}

TEST_CASE("the identity names the version and the options, and no path") {
  const std::string identity = make_clang_compiler()->identity();
  CHECK(identity.find("clang version") != std::string::npos);
  CHECK(identity.find("-ffp-contract=on") != std::string::npos);
  CHECK(identity.find("fast-math") == std::string::npos);
  CHECK(identity.find('/') == std::string::npos);
  CHECK(identity == make_clang_compiler()->identity());
}
