#include <algorithm>

#include <lathe/target.h>

namespace lathe {

namespace {

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

/// sm_, digits, and an optional a or f.
bool is_gpu_arch(std::string_view text) {
  if (!text.starts_with("sm_")) return false;
  text.remove_prefix(3);
  if (text.ends_with('a') || text.ends_with('f')) text.remove_suffix(1);
  return text.size() >= 2 && text.size() <= 3 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Error bad_target(std::string_view text, std::string_view why) {
  return Error{
      .code = ErrorCode::invalid_argument,
      .stage = Stage::api,
      .message = "target \"" + std::string(text) + "\": " + std::string(why),
      .hint = "write cuda:sm_90a, emulate:sm_80, cpu:x86-64-v3, or cuda, cpu for the machine at hand"};
}

}  // namespace

Result<Target> Target::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view backend = text.substr(0, colon);
  Target target;
  if (backend == "cuda") {
    target.backend = Backend::cuda;
  } else if (backend == "cpu") {
    target.backend = Backend::cpu;
  } else if (backend == "emulate") {
    target.backend = Backend::emulate;
  } else {
    return bad_target(text, "expected cuda, cpu or emulate before the colon");
  }
  if (colon == std::string_view::npos) return target;

  std::string_view rest = text.substr(colon + 1);
  const std::size_t plus = rest.find('+');
  const std::string_view arch = rest.substr(0, plus);
  if (!is_name(arch)) return bad_target(text, "expected an architecture after the colon");
  if (target.backend != Backend::cpu && arch != "native" && !is_gpu_arch(arch)) {
    return bad_target(text, "expected a GPU architecture such as sm_80 or sm_90a");
  }
  target.arch = arch;
  while (!rest.empty() && rest.find('+') != std::string_view::npos) {
    rest.remove_prefix(rest.find('+') + 1);
    const std::string_view feature = rest.substr(0, rest.find('+'));
    if (target.backend != Backend::cpu) return bad_target(text, "only CPU targets have features");
    if (!is_name(feature)) return bad_target(text, "expected the name of a feature after each plus sign");
    target.features.emplace_back(feature);
  }
  std::sort(target.features.begin(), target.features.end());
  target.features.erase(std::unique(target.features.begin(), target.features.end()), target.features.end());
  return target;
}

std::string Target::text() const {
  std::string text(name_of(backend));
  text += ":" + arch;
  for (const std::string& feature : features) text += "+" + feature;
  return text;
}

}  // namespace lathe
