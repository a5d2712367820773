#include "runtime/cpu/object_linker.h"

#include <llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h>
#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h>
#include <llvm/Support/Error.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/TargetParser/Triple.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "codegen/clang_target.h"
#include "runtime/base/try.h"
#include "runtime/cpu/allowed_symbols.h"
#include "runtime/cpu/object_check.h"

namespace lathe::runtime {

namespace orc = llvm::orc;

namespace {

Error load_failed(std::string message, std::string log = {}) {
  return {.code = ErrorCode::load_failed,
          .stage = Stage::load,
          .message = std::move(message),
          .log = std::move(log)};
}

Error load_failed(std::string message, llvm::Error failure) {
  return load_failed(std::move(message), llvm::toString(std::move(failure)));
}

llvm::Expected<std::unique_ptr<orc::LLJIT>> make_jit() {
  return orc::LLJITBuilder()
      .setLinkProcessSymbolsByDefault(false)
      // No constructors, destructors or thread-locals to run: kernels have none.
      .setPlatformSetUp(orc::setUpInactivePlatform)
      .setObjectLinkingLayerCreator([](orc::ExecutionSession& session, const llvm::Triple&) {
        return std::make_unique<orc::ObjectLinkingLayer>(session);
      })
      .create();
}

orc::SymbolMap allowed_map(orc::LLJIT& jit) {
  orc::SymbolMap symbols;
  for (const AllowedSymbol& symbol : allowed_symbols()) {
    symbols[jit.mangleAndIntern(symbol.name)] = {
        orc::ExecutorAddr::fromPtr(symbol.address),
        llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable};
  }
  return symbols;
}

/// The linker itself would only say that something could not be linked.
Result<void> check_calls(std::span<const std::byte> object) {
  const auto allowed = allowed_symbols();
  for (const std::string& name : undefined_symbols(object)) {
    if (std::none_of(allowed.begin(), allowed.end(), [&](const auto& symbol) { return symbol.name == name; }))
      return load_failed(
          fmt::format("the code uses {}, which kernels may not: only block moves and "
                      "mathematics are open to them",
                      name));
  }
  return {};
}

}  // namespace

struct ObjectLinker::Impl {
  std::unique_ptr<orc::LLJIT> jit;
  orc::JITDylib* allowed = nullptr;
  std::atomic<std::uint64_t> count{0};
};

ObjectLinker::ObjectLinker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ObjectLinker::~ObjectLinker() = default;

Result<std::shared_ptr<ObjectLinker>> ObjectLinker::create() {
  codegen::initialize_llvm();
  auto jit = make_jit();
  if (!jit) return load_failed("LLVM's JIT could not be set up", jit.takeError());
  auto impl = std::make_unique<Impl>();
  impl->jit = std::move(*jit);
  // Errors that nobody waits for would go to stderr; every one that matters is also returned.
  impl->jit->getExecutionSession().setErrorReporter(
      [](llvm::Error failure) { llvm::consumeError(std::move(failure)); });
  impl->allowed = &impl->jit->getExecutionSession().createBareJITDylib("allowed");
  if (auto failure = impl->allowed->define(orc::absoluteSymbols(allowed_map(*impl->jit)))) {
    return load_failed("the functions that kernels may call could not be defined", std::move(failure));
  }
  return std::shared_ptr<ObjectLinker>(new ObjectLinker(std::move(impl)));
}

Result<std::unique_ptr<ObjectLinker::LinkedObject>> ObjectLinker::link(
    const std::shared_ptr<ObjectLinker>& linker, std::span<const std::byte> object) {
  // The linker trusts its input.
  LATHE_CHECK(check_object(object));
  LATHE_CHECK(check_calls(object));
  Impl& impl = *linker->impl_;
  const std::string name = fmt::format("kernel-{}", impl.count.fetch_add(1));
  auto buffer = llvm::MemoryBuffer::getMemBufferCopy(
      llvm::StringRef(reinterpret_cast<const char*>(object.data()), object.size()), name);
  orc::JITDylib& library = impl.jit->getExecutionSession().createBareJITDylib(name);
  library.addToLinkOrder(*impl.allowed);
  auto linked = std::make_unique<LinkedObject>(linker, &library);
  if (auto failure = impl.jit->addObjectFile(library, std::move(buffer))) {
    return load_failed("the object file was not accepted", std::move(failure));
  }
  return linked;
}

ObjectLinker::LinkedObject::~LinkedObject() {
  auto& session = linker_->impl_->jit->getExecutionSession();
  llvm::consumeError(session.removeJITDylib(*static_cast<orc::JITDylib*>(library_)));
}

Result<void*> ObjectLinker::LinkedObject::address_of(const std::string& symbol) const {
  auto address = linker_->impl_->jit->lookup(*static_cast<orc::JITDylib*>(library_), symbol);
  if (!address) return load_failed(fmt::format("{} could not be linked", symbol), address.takeError());
  return address->toPtr<void*>();
}

}  // namespace lathe::runtime
