#include "codegen/render.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/canonical.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

constexpr std::string_view kBegin = "// lathe:parameters";
constexpr std::string_view kEnd = "// lathe:end";

Error bad_template(std::string_view name, int line, std::string message) {
  return {.code = ErrorCode::render_failed,
          .stage = Stage::render,
          .message =
              line > 0 ? fmt::format("{}:{}: {}", name, line, message) : fmt::format("{}: {}", name, message),
          .hint = "templates/README.md has the rules of the parameter block"};
}

std::string_view trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// `using NAME = VALUE;`, `constexpr TYPE NAME = VALUE;` or `constexpr TYPE NAME[] = VALUE;` taken apart.
struct Declaration {
  std::string_view before_value;  ///< up to the equals sign
  std::string_view name;
};

Result<Declaration> parse_declaration(std::string_view file, int number, std::string_view line) {
  const std::string_view code = trimmed(line.substr(0, line.find("//")));
  const std::size_t equals = code.find('=');
  const std::string_view left =
      equals == std::string_view::npos || !code.ends_with(';') ? "" : trimmed(code.substr(0, equals));
  const std::size_t space = left.rfind(' ');
  const bool is_using = left.starts_with("using ") && left.find(' ') == space;
  const bool is_constexpr = left.starts_with("constexpr ") && left.find(' ') != space;
  if (is_using || is_constexpr) {
    std::string_view name = left.substr(space + 1);
    if (is_constexpr && name.ends_with("[]")) name.remove_suffix(2);
    return Declaration{.before_value = left, .name = name};
  }
  return bad_template(
      file, number,
      fmt::format("expected `using NAME = VALUE;` or `constexpr TYPE NAME = VALUE;`, found `{}`",
                  trimmed(line)));
}

/// Hands out parameters by name, and knows which were never asked for.
class Values {
 public:
  explicit Values(const Parameters& parameters) : parameters_(parameters), used_(parameters.size(), false) {}

  const std::string* take(std::string_view name) {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (parameters_[i].first == name) {
        used_[i] = true;
        return &parameters_[i].second;
      }
    }
    return nullptr;
  }

  std::vector<std::string_view> unused() const {
    std::vector<std::string_view> names;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (!used_[i]) names.push_back(parameters_[i].first);
    }
    return names;
  }

 private:
  const Parameters& parameters_;
  std::vector<bool> used_;
};

}  // namespace

Result<std::string> fill_parameters(const SourceFile& file, const Parameters& parameters) {
  Values values(parameters);
  std::vector<std::string_view> declared;
  std::string text;
  text.reserve(file.text.size() + 256);
  enum { before, inside, after } position = before;
  int block_line = 0;
  std::string_view rest = file.text;
  // Line for line, so that a compiler's line numbers are those of the template.
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    const std::string_view code = trimmed(line);
    if (code == kBegin) {
      if (position != before) return bad_template(file.name, number, "a second parameter block");
      position = inside;
      block_line = number;
    } else if (code == kEnd) {
      if (position != inside)
        return bad_template(file.name, number, "the end of a parameter block that has no beginning");
      position = after;
    } else if (position == inside && !code.empty() && !code.starts_with("//")) {
      LATHE_TRY(const Declaration declaration, parse_declaration(file.name, number, line));
      if (std::find(declared.begin(), declared.end(), declaration.name) != declared.end()) {
        return bad_template(file.name, number, fmt::format("{} is declared twice", declaration.name));
      }
      declared.push_back(declaration.name);
      const std::string* value = values.take(declaration.name);
      if (value == nullptr)
        return bad_template(file.name, number, fmt::format("no value was given for {}", declaration.name));
      fmt::format_to(std::back_inserter(text), "{} = {};\n", declaration.before_value, *value);
      continue;
    }
    text.append(line);
    text += '\n';
  }
  if (position == before)
    return bad_template(file.name, 0, fmt::format("no parameter block, which begins with `{}`", kBegin));
  if (position == inside)
    return bad_template(file.name, block_line, fmt::format("the parameter block has no `{}`", kEnd));
  if (const auto unused = values.unused(); !unused.empty()) {
    return bad_template(file.name, block_line,
                        fmt::format("the parameter block does not declare {}", fmt::join(unused, ", ")));
  }
  return text;
}

namespace {

/// Puts each of `replacements` in the place of the header of the same name.
Result<void> replace_headers(const RenderPlan& plan, std::vector<SourceFile>& headers) {
  for (const SourceFile& replacement : plan.extra_headers) {
    const auto sample = std::find_if(headers.begin(), headers.end(),
                                     [&](const SourceFile& file) { return file.name == replacement.name; });
    if (sample == headers.end()) {
      return bad_template(plan.template_name, 0,
                          fmt::format("does not include {}, which the spec has text for", replacement.name));
    }
    *sample = replacement;
  }
  return {};
}

Result<KernelSource> render_plan(const KernelSpec& spec, const Target& target,
                                 const TemplateLibrary& library) {
  LATHE_TRY(RenderPlan plan, op_of(spec).plan(spec, target));
  const SourceFile* file = library.find(plan.template_name);
  if (file == nullptr) return bad_template(plan.template_name, 0, "there is no such template");
  LATHE_TRY(std::string text, fill_parameters(*file, plan.parameters));
  LATHE_TRY(std::vector<SourceFile> headers, library.headers_of(plan.template_name));
  LATHE_CHECK(replace_headers(plan, headers));
  return KernelSource{.name = std::move(plan.template_name),
                      .text = std::move(text),
                      .headers = std::move(headers),
                      .entries = std::move(plan.entries)};
}

}  // namespace

Result<KernelSource> render(const KernelSpec& spec, const Target& target, const TemplateLibrary& library) {
  auto source = render_plan(spec, target, library);
  if (!source) source.error().spec = canonical_text(spec) + " for " + target.text();
  return source;
}

}  // namespace lathe::codegen
