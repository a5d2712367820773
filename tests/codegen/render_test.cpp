#include "codegen/render.h"

#include <string>

#include "tests/support/catch.h"

using lathe::Backend;
using lathe::ErrorCode;
using lathe::RmsNormSpec;
using lathe::Target;
using namespace lathe::codegen;

namespace {

const std::string kTemplate =
    "// a kernel\n"
    "#include <lathe/args.h>\n"
    "// lathe:parameters\n"
    "using X = float;\n"
    "\n"
    "constexpr int kSize = 8;  // elements\n"
    "  // a comment\n"
    "constexpr unsigned long long kBig = 1ull << 40;\n"
    "// lathe:end\n"
    "constexpr int kTwice = 2 * kSize;\n";

const Parameters kValues{{"kBig", "7"}, {"X", "double"}, {"kSize", "kOther == 3 ? 1 : 2"}};

lathe::Error error_of(const std::string& text, const Parameters& parameters) {
  const auto filled = fill_parameters({"cuda/op.cu", text}, parameters);
  INFO(text);
  REQUIRE(!filled);
  CHECK(filled.error().code == ErrorCode::render_failed);
  CHECK(filled.error().stage == lathe::Stage::render);
  CHECK(filled.error().hint == "templates/README.md has the rules of the parameter block");
  return filled.error();
}

std::string block(const std::string& lines) {
  return "// lathe:parameters\n" + lines + "// lathe:end\n";
}

}  // namespace

TEST_CASE("values replace the samples, line for line") {
  CHECK(fill_parameters({"t", kTemplate}, kValues).value() ==
        "// a kernel\n"
        "#include <lathe/args.h>\n"
        "// lathe:parameters\n"
        "using X = double;\n"
        "\n"
        "constexpr int kSize = kOther == 3 ? 1 : 2;\n"
        "  // a comment\n"
        "constexpr unsigned long long kBig = 7;\n"
        "// lathe:end\n"
        "constexpr int kTwice = 2 * kSize;\n");
}

TEST_CASE("a declaration may be of a table") {
  CHECK(fill_parameters({"t", block("constexpr int kTable[] = {1};  // two\n")}, {{"kTable", "{2, 3}"}})
            .value() == block("constexpr int kTable[] = {2, 3};\n"));
  CHECK(error_of(block("using Table[] = int;\n"), {{"Table", "int"}}).message ==
        "cuda/op.cu:2: no value was given for Table[]");
}

TEST_CASE("an empty block is a block") {
  CHECK(fill_parameters({"t", block("")}, {}).value() == block(""));
  CHECK(fill_parameters({"t", "// lathe:parameters\n// lathe:end"}, {}).value() == block(""));
}

TEST_CASE("a declaration without value is an error with its line") {
  CHECK(error_of(kTemplate, {{"kBig", "7"}, {"X", "double"}}).message ==
        "cuda/op.cu:6: no value was given for kSize");
}

TEST_CASE("values that are not declared are an error, all of them named") {
  Parameters more = kValues;
  more.emplace_back("kNew", "1");
  more.emplace_back("kNewer", "2");
  CHECK(error_of(kTemplate, more).message ==
        "cuda/op.cu:3: the parameter block does not declare kNew, kNewer");
}

TEST_CASE("the value given twice is not taken for used") {
  CHECK(error_of(block("using X = int;\n"), {{"X", "float"}, {"X", "double"}}).message ==
        "cuda/op.cu:1: the parameter block does not declare X");
}

TEST_CASE("anything but a declaration is an error with its line") {
  const char* lines[] = {"int kSize = 8;\n",
                         "constexpr int kSize{8};\n",
                         "constexpr kSize = 8;\n",
                         "using namespace x;\n",
                         "#define kSize 8\n",
                         "constexpr int kSize = 8\n",
                         "using X =\n  float;\n",
                         "static constexpr int k = 8;\n",
                         "= 3;\n"};
  for (const char* line : lines) {
    const std::string message = error_of(block(line), {{"kSize", "1"}, {"X", "1"}, {"k", "1"}}).message;
    CHECK(
        message.starts_with("cuda/op.cu:2: expected `using NAME = VALUE;` or `constexpr TYPE NAME = "
                            "VALUE;`, found `"));
  }
  CHECK(error_of(block("int kSize = 8;\n"), {}).message.ends_with("found `int kSize = 8;`"));
}

TEST_CASE("a name declared twice is an error with its line") {
  CHECK(error_of(block("using X = int;\nusing X = float;\n"), {{"X", "int"}}).message ==
        "cuda/op.cu:3: X is declared twice");
}

TEST_CASE("a template has one block, with a beginning and an end") {
  CHECK(error_of("int x;\n", {}).message ==
        "cuda/op.cu: no parameter block, which begins with `// lathe:parameters`");
  CHECK(error_of("", {}).message ==
        "cuda/op.cu: no parameter block, which begins with `// lathe:parameters`");
  CHECK(error_of("\n// lathe:parameters\n", {}).message ==
        "cuda/op.cu:2: the parameter block has no `// lathe:end`");
  CHECK(error_of("// lathe:end\n", {}).message ==
        "cuda/op.cu:1: the end of a parameter block that has no beginning");
  CHECK(error_of(block("") + "x\n" + block(""), {}).message == "cuda/op.cu:4: a second parameter block");
  CHECK(error_of("// lathe:parameters\n" + block(""), {}).message ==
        "cuda/op.cu:2: a second parameter block");
}

TEST_CASE("lines may end as on Windows") {
  CHECK(fill_parameters({"t", "// lathe:parameters\r\nusing X = int;\r\n// lathe:end\r\n"}, {{"X", "float"}})
            .value() == "// lathe:parameters\r\nusing X = float;\n// lathe:end\r\n");
}

TEST_CASE("every embedded template renders, with its headers and nothing left over") {
  const TemplateLibrary library = TemplateLibrary::embedded();
  const auto spec = op_of(RmsNormSpec{}).normalize(RmsNormSpec{.hidden_size = 4096}).value();
  for (const Target& target : {Target{Backend::cuda, "sm_90a", {}}, Target{Backend::emulate, "sm_80", {}},
                               Target{Backend::cpu, "x86-64-v3", {}}}) {
    INFO(target.text());
    const auto source = render(spec, target, library).value();
    CHECK(source.text.find("constexpr int kHiddenSize = 4096;") != std::string::npos);
    REQUIRE(source.entries.size() == 1);
    CHECK(source.entries[0].name == "lathe_rms_norm");
    CHECK(source.name == (target.backend == Backend::cpu ? "cpu/rms_norm.cpp" : "cuda/rms_norm.cu"));
    CHECK(!source.headers.empty());
    for (const SourceFile& header : source.headers) CHECK(library.find(header.name) != nullptr);
  }
}

TEST_CASE("rendering is pure") {
  const TemplateLibrary library = TemplateLibrary::embedded();
  const auto spec = op_of(RmsNormSpec{}).normalize(RmsNormSpec{.hidden_size = 5120}).value();
  const Target target{Backend::cuda, "sm_100", {}};
  const auto once = render(spec, target, library).value();
  const auto again = render(spec, target, TemplateLibrary::embedded()).value();
  CHECK(once.text == again.text);
  CHECK(once.headers == again.headers);
  CHECK(once.entries == again.entries);
}

TEST_CASE("an error of rendering says what was rendered") {
  const auto spec = op_of(RmsNormSpec{}).normalize(RmsNormSpec{.hidden_size = 8}).value();
  const Target target{Backend::cuda, "sm_90a", {}};
  const auto no_template = render(spec, target, TemplateLibrary(std::vector<SourceFile>{}));
  REQUIRE(!no_template);
  CHECK(no_template.error().message == "cuda/rms_norm.cu: there is no such template");
  CHECK(no_template.error().spec.starts_with("rms_norm hidden_size=8 dtype=bf16 "));
  CHECK(no_template.error().spec.ends_with(" for cuda:sm_90a"));

  const auto no_block =
      render(spec, target, TemplateLibrary(std::vector<SourceFile>{{"cuda/rms_norm.cu", "int x;\n"}}));
  REQUIRE(!no_block);
  CHECK(no_block.error().code == ErrorCode::render_failed);
  CHECK(!no_block.error().spec.empty());

  const auto no_arch = render(spec, {Backend::cuda, "sm_10", {}}, TemplateLibrary::embedded());
  REQUIRE(!no_arch);
  CHECK(no_arch.error().code == ErrorCode::unsupported);
}
