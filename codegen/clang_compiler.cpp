#include "codegen/clang_compiler.h"

#include <clang/Basic/Diagnostic.h>
#include <clang/Basic/DiagnosticOptions.h>
#include <clang/Basic/Version.h>
#include <clang/CodeGen/CodeGenAction.h>
#include <clang/Frontend/CompilerInstance.h>
#include <clang/Frontend/CompilerInvocation.h>
#include <clang/Frontend/TextDiagnosticPrinter.h>
#include <llvm/ADT/SmallString.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/VirtualFileSystem.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/TargetParser/Host.h>

#include <cstring>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/clang_target.h"
#include "codegen/excerpt.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

/// Where the in-memory files stand. No such directory exists; it is taken out of messages again.
constexpr std::string_view kRoot = "/lathe-templates/";

/// Arguments of cc1 that are always the same.
const std::vector<std::string>& fixed_arguments() {
  static const std::vector<std::string> arguments{
      "-emit-obj", "-O3", "-std=c++20", "-x", "c++",
      // Nothing but what is handed in.
      "-nostdsysteminc", "-nobuiltininc",
      // JITLink places code and data anywhere.
      "-mrelocation-model", "pic", "-pic-level", "2", "-vectorize-loops", "-vectorize-slp",
      // a * b + c within an expression may fuse, as on the GPU; nothing else changes results.
      "-ffp-contract=on", "-fno-rtti", "-fno-threadsafe-statics", "-mframe-pointer=none", "-Wall", "-Wextra",
      // Vectors wider than a register have no ABI, but no function that takes one is called from outside.
      "-Wno-psabi",
      // A template holds the functions of all its variants, and hooks may need only some of what they are
      // told.
      "-Wno-unused-function", "-Wno-unused-parameter"};
  return arguments;
}

std::string without_root(std::string text) {
  for (std::size_t at = text.find(kRoot); at != std::string::npos; at = text.find(kRoot, at))
    text.erase(at, kRoot.size());
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

llvm::IntrusiveRefCntPtr<llvm::vfs::InMemoryFileSystem> file_system_of(const KernelSource& source) {
  llvm::IntrusiveRefCntPtr<llvm::vfs::InMemoryFileSystem> files(new llvm::vfs::InMemoryFileSystem);
  const auto add = [&](const std::string& name, const std::string& text) {
    files->addFile(std::string(kRoot) + name, 0, llvm::MemoryBuffer::getMemBuffer(text, name));
  };
  add(source.name, source.text);
  for (const SourceFile& header : source.headers) add(header.name, header.text);
  return files;
}

struct ClangOutput {
  bool succeeded = false;
  llvm::SmallVector<char, 0> object;
  std::string log;
};

/// One run of cc1. REQUIRES: the caller holds the lock.
ClangOutput run_clang(const KernelSource& source, const std::vector<std::string>& arguments) {
  ClangOutput output;
  llvm::raw_string_ostream log(output.log);
  const llvm::IntrusiveRefCntPtr<clang::DiagnosticOptions> options(new clang::DiagnosticOptions);
  clang::TextDiagnosticPrinter printer(log, options.get());

  clang::CompilerInstance instance;
  // It would count warnings on stderr.
  instance.setVerboseOutputStream(llvm::nulls());
  instance.createDiagnostics(&printer, /*ShouldOwnClient=*/false);
  std::vector<const char*> texts;
  for (const std::string& argument : arguments) texts.push_back(argument.c_str());
  if (clang::CompilerInvocation::CreateFromArgs(instance.getInvocation(), texts, instance.getDiagnostics())) {
    // The diagnostics were made before the options were known.
    clang::ProcessWarningOptions(instance.getDiagnostics(), instance.getDiagnosticOpts());
    instance.createFileManager(file_system_of(source));
    instance.setOutputStream(std::make_unique<llvm::raw_svector_ostream>(output.object));
    clang::EmitObjAction action;
    output.succeeded = instance.ExecuteAction(action);
  }
  log.flush();
  output.log = without_root(std::move(output.log));
  return output;
}

class ClangCompiler : public Compiler {
 public:
  ClangCompiler() { initialize_llvm(); }

  std::string identity() const override {
    return fmt::format("{} {} {}", clang::getClangFullVersion(), llvm::sys::getProcessTriple(),
                       fmt::join(fixed_arguments(), " "));
  }

  Result<KernelBinary> compile(const KernelSource& source, const Target& target) const override {
    LATHE_TRY(std::vector<std::string> arguments, clang_target_arguments(target));
    arguments.insert(arguments.end(), fixed_arguments().begin(), fixed_arguments().end());
    const std::string path = std::string(kRoot) + source.name;
    arguments.insert(arguments.end(), {"-I", std::string(kRoot), "-main-file-name", source.name, path});

    ClangOutput output = [&] {
      const std::lock_guard lock(clang_mutex());
      return run_clang(source, arguments);
    }();
    if (!output.succeeded) return failure(source, std::move(output.log), arguments);
    Payload object{.kind = PayloadKind::object, .bytes = Bytes(output.object.size())};
    std::memcpy(object.bytes.data(), output.object.data(), output.object.size());
    return KernelBinary{
        .payloads = {std::move(object)}, .entries = source.entries, .log = std::move(output.log)};
  }

 private:
  /// Of the process, not of the object: what must not run twice at once is Clang, whoever asks. Concurrent
  /// in-process compiles have corrupted the heap in other projects (CCCL #9998).
  static std::mutex& clang_mutex() {
    static std::mutex mutex;
    return mutex;
  }

  static Error failure(const KernelSource& source, std::string log,
                       const std::vector<std::string>& arguments) {
    const std::vector<SourceLocation> locations = error_locations(log);
    return {.code = ErrorCode::compile_failed,
            .stage = Stage::compile,
            .message = fmt::format("Clang did not compile {}", source.name),
            .log = fmt::format("options: {}\n{}", without_root(fmt::format("{}", fmt::join(arguments, " "))),
                               log),
            .excerpt = excerpt_around(locations, source)};
  }
};

}  // namespace

std::unique_ptr<Compiler> make_clang_compiler() {
  return std::make_unique<ClangCompiler>();
}

}  // namespace lathe::codegen
