#include "codegen/clang_target.h"

#include <clang/Basic/Diagnostic.h>
#include <clang/Basic/DiagnosticIDs.h>
#include <clang/Basic/DiagnosticOptions.h>
#include <clang/Basic/TargetInfo.h>
#include <clang/Basic/TargetOptions.h>
#include <llvm/ADT/SmallVector.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/TargetParser/Triple.h>

#include <algorithm>
#include <mutex>

#include <fmt/format.h>

#include "codegen/clang_compiler.h"
#include "codegen/edit_distance.h"
#include "codegen/llvm_compat.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

std::string baseline_cpu(const llvm::Triple& triple) {
  return triple.isX86() ? "x86-64" : "generic";
}

/// Clang's description of a processor, or null if it does not know the processor or a feature.
llvm::IntrusiveRefCntPtr<clang::TargetInfo> target_info(const std::string& cpu,
                                                        const std::vector<std::string>& features) {
  const llvm::IntrusiveRefCntPtr<clang::DiagnosticIDs> ids(new clang::DiagnosticIDs);
  clang::DiagnosticsEngine silent(ids, new clang::DiagnosticOptions, new clang::IgnoringDiagConsumer);
  const auto options = std::make_shared<clang::TargetOptions>();
  options->Triple = llvm::sys::getProcessTriple();
  options->CPU = cpu;
  for (const std::string& feature : features) options->FeaturesAsWritten.push_back("+" + feature);
  return clang::TargetInfo::CreateTargetInfo(silent, options);
}

Error unknown_cpu(const Target& target) {
  const auto generic = target_info(baseline_cpu(llvm::Triple(llvm::sys::getProcessTriple())), {});
  llvm::SmallVector<llvm::StringRef, 128> known;
  generic->fillValidCPUList(known);
  std::vector<std::string_view> names(known.begin(), known.end());
  return {.code = ErrorCode::unsupported,
          .stage = Stage::compile,
          .message = fmt::format("{}: Clang knows no processor \"{}\" of {}{}", target.text(), target.arch,
                                 llvm::sys::getProcessTriple(), did_you_mean(target.arch, names)),
          .hint = "write cpu for the machine at hand, or a name that clang -mcpu takes, such as x86-64-v3"};
}

Error unknown_feature(const Target& target, const std::string& feature, const clang::TargetInfo& info) {
  const auto here = host_cpu_features();
  std::vector<std::string_view> names;
  for (const auto& known : here) {
    // LLVM tells some apart, such as cmov, that Clang takes for granted.
    if (info.isValidFeatureName(known.first()))
      names.emplace_back(known.first().data(), known.first().size());
  }
  std::sort(names.begin(), names.end());
  return {.code = ErrorCode::unsupported,
          .stage = Stage::compile,
          .message = fmt::format("{}: Clang knows no feature \"{}\" of {}{}", target.text(), feature,
                                 llvm::sys::getProcessTriple(), did_you_mean(feature, names)),
          .hint = "leave the features out to use all that the named processor has"};
}

Result<void> check_target(const Target& target) {
  if (target.backend != Backend::cpu) {
    return Error{.code = ErrorCode::unsupported,
                 .stage = Stage::compile,
                 .message = fmt::format("Clang compiles for the CPU only, not for {}", target.text())};
  }
  const auto info = target_info(target.arch, {});
  if (!info) return unknown_cpu(target);
  for (const std::string& feature : target.features) {
    if (!info->isValidFeatureName(feature)) return unknown_feature(target, feature, *info);
  }
  return {};
}

}  // namespace

void initialize_llvm() {
  // The registry of back ends is LLVM's own global state; there is no other way to fill it.
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    llvm::InitializeNativeTargetAsmParser();
  });
}

Result<std::vector<std::string>> clang_target_arguments(const Target& target) {
  LATHE_CHECK(check_target(target));
  const std::string triple = llvm::sys::getProcessTriple();
  std::vector<std::string> arguments{
      "-triple", triple, "-target-cpu",
      target.features.empty() ? target.arch : baseline_cpu(llvm::Triple(triple))};
  if (!target.features.empty()) {
    arguments.insert(arguments.end(), {"-tune-cpu", target.arch});
    for (const std::string& feature : target.features)
      arguments.insert(arguments.end(), {"-target-feature", "+" + feature});
  }
  return arguments;
}

Target host_cpu_target() {
  Target target{.backend = Backend::cpu, .arch = llvm::sys::getHostCPUName().str()};
  const auto info = target_info(target.arch, {});
  for (const auto& feature : host_cpu_features()) {
    const std::string name = feature.first().str();
    // AVX10 repeats what AVX-512 says already and changes the vector width that Clang prefers.
    if (!feature.second || name.starts_with("avx10") || (info && !info->isValidFeatureName(name))) continue;
    target.features.push_back(name);
  }
  std::sort(target.features.begin(), target.features.end());
  return target;
}

Result<std::optional<std::string>> feature_missing_here(const Target& target) {
  LATHE_CHECK(check_target(target));
  const auto here = host_cpu_features();
  const auto is_here = [&](const std::string& feature) {
    const auto found = here.find(feature);
    // What the host's list does not mention at all, such as tuning flags, needs no hardware.
    return found == here.end() || found->second;
  };
  std::vector<std::string> used = target.features;
  if (used.empty()) {
    const auto info = target_info(target.arch, {});
    for (const auto& feature : info->getTargetOpts().FeatureMap) {
      if (feature.second) used.push_back(feature.first().str());
    }
    std::sort(used.begin(), used.end());
  }
  for (const std::string& feature : used) {
    if (!is_here(feature)) return std::optional(feature);
  }
  return std::optional<std::string>{};
}

}  // namespace lathe::codegen
