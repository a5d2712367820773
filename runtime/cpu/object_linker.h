// ObjectLinker: object code in memory -> callable addresses. Hides LLVM's ORC.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include <lathe/error.h>

namespace lathe::runtime {

/// Thread-safe. Each object gets a namespace of its own, and sees nothing of this process but the functions
/// in allowed_symbols.h: code from a cache cannot call what it was not meant to.
class ObjectLinker {
 public:
  static Result<std::shared_ptr<ObjectLinker>> create();
  ~ObjectLinker();

  /// Keeps the code in memory until destruction. Holds its linker.
  class LinkedObject {
   public:
    LinkedObject(std::shared_ptr<ObjectLinker> linker, void* library)
        : linker_(std::move(linker)), library_(library) {}
    LinkedObject(const LinkedObject&) = delete;
    LinkedObject& operator=(const LinkedObject&) = delete;
    ~LinkedObject();

    /// Errors: load_failed, naming the symbol, when the object does not define it.
    Result<void*> address_of(const std::string& symbol) const;

   private:
    std::shared_ptr<ObjectLinker> linker_;
    void* library_;  // llvm::orc::JITDylib*
  };

  /// Errors: load_failed for bytes that are no sound object file of this processor, and for code that uses a
  /// function which is not allowed, naming it.
  static Result<std::unique_ptr<LinkedObject>> link(const std::shared_ptr<ObjectLinker>& linker,
                                                    std::span<const std::byte> object);

 private:
  struct Impl;
  explicit ObjectLinker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lathe::runtime
