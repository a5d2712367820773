#include "codegen/template_library.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "codegen/embedded_templates.h"

namespace lathe::codegen {

namespace {

namespace fs = std::filesystem;

/// The name between quotes or angle brackets of an include line, or empty.
std::string_view included_name(std::string_view line) {
  const auto skip_blanks = [&] {
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  };
  skip_blanks();
  if (!line.starts_with('#')) return {};
  line.remove_prefix(1);
  skip_blanks();
  if (!line.starts_with("include")) return {};
  line.remove_prefix(7);
  skip_blanks();
  if (line.empty() || (line.front() != '"' && line.front() != '<')) return {};
  const char closing = line.front() == '"' ? '"' : '>';
  line.remove_prefix(1);
  return line.substr(0, line.find(closing));
}

std::vector<SourceFile> embedded_files(bool only_library_headers) {
  std::vector<SourceFile> files;
  for (const EmbeddedTemplate& file : embedded_templates()) {
    if (!only_library_headers || file.name.starts_with("lathe/"))
      files.push_back({std::string(file.name), std::string(file.text)});
  }
  return files;
}

Error unreadable(const fs::path& path, const std::string& reason) {
  return {.code = ErrorCode::io_failed,
          .stage = Stage::render,
          .message = fmt::format("template directory: {}: {}", path.string(), reason),
          .hint = "check LATHE_TEMPLATE_DIR or Options::template_dir"};
}

bool is_template(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".cu" || extension == ".cuh" || extension == ".cpp" || extension == ".h";
}

}  // namespace

TemplateLibrary::TemplateLibrary(std::vector<SourceFile> files) : files_(std::move(files)) {
  std::sort(files_.begin(), files_.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.name < b.name; });
}

TemplateLibrary TemplateLibrary::embedded() {
  return TemplateLibrary(embedded_files(false));
}

Result<TemplateLibrary> TemplateLibrary::from_directory(const std::string& directory) {
  std::vector<SourceFile> files = embedded_files(true);
  std::error_code error;
  fs::recursive_directory_iterator entry(directory, error);
  if (error) return unreadable(directory, error.message());
  for (; entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (error) return unreadable(directory, error.message());
    if (!entry->is_regular_file(error) || !is_template(entry->path())) continue;
    std::ifstream file(entry->path(), std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) return unreadable(entry->path(), "cannot be read");
    files.push_back({entry->path().lexically_relative(directory).generic_string(), std::move(text).str()});
  }
  return TemplateLibrary(std::move(files));
}

const SourceFile* TemplateLibrary::find(std::string_view name) const {
  const auto found =
      std::lower_bound(files_.begin(), files_.end(), name,
                       [](const SourceFile& file, std::string_view wanted) { return file.name < wanted; });
  return found != files_.end() && found->name == name ? &*found : nullptr;
}

Result<std::vector<SourceFile>> TemplateLibrary::headers_of(std::string_view name) const {
  std::map<std::string_view, const SourceFile*> found;
  std::vector<const SourceFile*> to_read;
  if (const SourceFile* root = find(name)) to_read.push_back(root);
  while (!to_read.empty()) {
    const SourceFile& file = *to_read.back();
    to_read.pop_back();
    std::string_view rest = file.text;
    for (int line = 1; !rest.empty(); ++line) {
      const std::size_t end = rest.find('\n');
      const std::string_view header = included_name(rest.substr(0, end));
      rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
      if (header.empty() || found.contains(header)) continue;
      const SourceFile* included = find(header);
      if (included == nullptr) {
        return Error{
            .code = ErrorCode::render_failed,
            .stage = Stage::render,
            .message = fmt::format("{}:{}: includes \"{}\", which is no template", file.name, line, header),
            .hint = "device code includes our own headers only, by their path below templates/"};
      }
      found.emplace(included->name, included);
      to_read.push_back(included);
    }
  }
  std::vector<SourceFile> headers;
  for (const auto& [header, file] : found) headers.push_back(*file);
  return headers;
}

}  // namespace lathe::codegen
