#include "codegen/nvrtc_compiler.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/cuda_arch.h"
#include "codegen/excerpt.h"
#include "codegen/nvrtc_api.h"
#include "codegen/ptxas_report.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

/// Without this NVRTC puts the working directory before the names in line information.
std::string placed(std::string_view name, std::string_view text) {
  return fmt::format("#line 1 \"{}{}\"\n{}", kSourceRoot, name, text);
}

/// What NVRTC says of placed sources, with the names that they have for everybody else.
std::string with_own_names(std::string log) {
  for (std::size_t at = 0; (at = log.find(kSourceRoot, at)) != std::string::npos;)
    log.erase(at, kSourceRoot.size());
  return log;
}

/// A program of NVRTC that is destroyed whatever happens.
class Program {
 public:
  Program(const NvrtcApi& api, const KernelSource& source) : api_(api) {
    std::vector<std::string> placed_headers;
    std::vector<const char*> texts, names;
    for (const SourceFile& header : source.headers)
      placed_headers.push_back(placed(header.name, header.text));
    for (std::size_t i = 0; i < source.headers.size(); ++i) {
      texts.push_back(placed_headers[i].c_str());
      names.push_back(source.headers[i].name.c_str());
    }
    created_ = api_.create_program(&program_, placed(source.name, source.text).c_str(), source.name.c_str(),
                                   static_cast<int>(names.size()), texts.data(), names.data());
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (created_ == kNvrtcSuccess) api_.destroy_program(&program_);
  }

  NvrtcStatus compile(const std::vector<std::string>& options) {
    if (created_ != kNvrtcSuccess) return created_;
    std::vector<const char*> texts;
    for (const std::string& option : options) texts.push_back(option.c_str());
    return api_.compile_program(program_, static_cast<int>(texts.size()), texts.data());
  }

  std::string log() const {
    const Bytes bytes = created_ == kNvrtcSuccess ? output(api_.get_log_size, api_.get_log) : Bytes{};
    std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    while (!text.empty() && (text.back() == '\0' || text.back() == '\n')) text.pop_back();
    return with_own_names(std::move(text));
  }

  Bytes cubin() const { return output(api_.get_cubin_size, api_.get_cubin); }
  Bytes ptx() const {
    Bytes text = output(api_.get_ptx_size, api_.get_ptx);
    if (!text.empty() && text.back() == std::byte{0}) text.pop_back();
    return text;
  }

 private:
  Bytes output(NvrtcStatus (*size_of)(NvrtcProgram, std::size_t*),
               NvrtcStatus (*get)(NvrtcProgram, char*)) const {
    std::size_t size = 0;
    if (size_of(program_, &size) != kNvrtcSuccess) return {};
    Bytes bytes(size);
    if (get(program_, reinterpret_cast<char*>(bytes.data())) != kNvrtcSuccess) return {};
    return bytes;
  }

  const NvrtcApi& api_;
  NvrtcProgram program_ = nullptr;
  NvrtcStatus created_ = kNvrtcSuccess;
};

class NvrtcCompiler : public Compiler {
 public:
  explicit NvrtcCompiler(std::shared_ptr<const NvrtcApi> api)
      : api_(std::move(api)),
        supported_(supported_numbers(*api_)),
        options_(fixed_options(*api_)),
        identity_(fmt::format("nvrtc {}.{} {} {}", api_->major, api_->minor, api_->build_id,
                              fmt::join(options_, " "))) {}

  std::string identity() const override { return identity_; }

  Result<KernelBinary> compile(const KernelSource& source, const Target& target) const override {
    LATHE_TRY(const CudaArch* arch, check_arch(target));
    std::vector<std::string> options = options_;
    options.push_back(fmt::format("--gpu-architecture={}", arch->name));
    Program program(*api_, source);
    const NvrtcStatus status = program.compile(options);
    std::string log = program.log();
    if (status != kNvrtcSuccess) return failure(source, status, std::move(log), options);
    KernelBinary binary{
        .payloads = {{PayloadKind::cubin, program.cubin()}, {PayloadKind::ptx, program.ptx()}},
        .entries = source.entries,
        .resources = resources_of(log, source.entries)};
    if (binary.payloads[0].bytes.empty() || binary.payloads[1].bytes.empty()) {
      return failure(source, status, std::move(log) + "\nNVRTC reported success but gave no code", options);
    }
    binary.log = without_times(log);
    return binary;
  }

 private:
  static std::vector<int> supported_numbers(const NvrtcApi& api) {
    int count = 0;
    if (api.get_arch_count(&count) != kNvrtcSuccess) return {};
    std::vector<int> numbers(static_cast<std::size_t>(count));
    if (api.get_archs(numbers.data()) != kNvrtcSuccess) return {};
    return numbers;
  }

  static std::vector<std::string> fixed_options(const NvrtcApi& api) {
    std::vector<std::string> options{"--std=c++20", "--device-as-default-execution-space",
                                     "--ptxas-options=-v", "-lineinfo"};
    // NVRTC has a cache of its own since 12.9. Ours is to be the only one, or timings and `verify` would mean
    // nothing.
    if (std::pair(api.major, api.minor) >= std::pair(12, 9)) options.emplace_back("--no-cache");
    return options;
  }

  Result<const CudaArch*> check_arch(const Target& target) const {
    const CudaArch* arch = target.backend == Backend::cpu ? nullptr : find_cuda_arch(target.arch);
    if (arch == nullptr) {
      return Error{.code = ErrorCode::unsupported,
                   .stage = Stage::compile,
                   .message = fmt::format("NVRTC does not compile for {}", target.text()),
                   .hint = fmt::format("known architectures are {}", cuda_arch_names())};
    }
    // NVRTC lists numbers only; the family variants came with 12.9.
    const bool knows_number =
        std::find(supported_.begin(), supported_.end(), arch->number()) != supported_.end();
    const bool knows_family = std::pair(api_->major, api_->minor) >= std::pair(12, 9);
    if (knows_number && (knows_family || !arch->name.ends_with('f'))) return arch;
    return Error{.code = ErrorCode::unsupported,
                 .stage = Stage::compile,
                 .message = fmt::format("NVRTC {}.{} does not know {}", api_->major, api_->minor, arch->name),
                 .hint = fmt::format("it knows sm_{}; a newer CUDA toolkit may know more",
                                     fmt::join(supported_, ", sm_"))};
  }

  Error failure(const KernelSource& source, NvrtcStatus status, std::string log,
                const std::vector<std::string>& options) const {
    const std::vector<SourceLocation> locations = error_locations(log);
    return {.code = ErrorCode::compile_failed,
            .stage = Stage::compile,
            .message = fmt::format("NVRTC {}.{} did not compile {}: {}", api_->major, api_->minor,
                                   source.name, api_->error_text(status)),
            .log = fmt::format("options: {}\n{}", fmt::join(options, " "), log),
            .excerpt = excerpt_around(locations, source)};
  }

  const std::shared_ptr<const NvrtcApi> api_;
  const std::vector<int> supported_;
  const std::vector<std::string> options_;
  const std::string identity_;
};

}  // namespace

Result<std::unique_ptr<Compiler>> open_nvrtc(const NvrtcOptions& options) {
  LATHE_TRY(auto api, NvrtcApi::open(options.path));
  return std::make_unique<NvrtcCompiler>(std::move(api));
}

}  // namespace lathe::codegen
