// Shadow: which bytes of a piece of memory have been written.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lathe::runtime::ptx {

/// One byte for each byte, mapped but not touched until it is used, so that it costs nothing beside memory
/// that is not used either. Blocks that run at once may define the same bytes, by strong stores, and ask for
/// them: define() and is_defined() are thread-safe.
class Shadow {
 public:
  Shadow() = default;
  /// Nothing is defined.
  explicit Shadow(std::size_t bytes);
  Shadow(Shadow&& other) noexcept;
  Shadow& operator=(Shadow&& other) noexcept;
  ~Shadow();

  /// False for an empty one: nothing is tracked.
  bool is_tracked() const { return defined_ != nullptr; }
  void define(std::size_t offset, std::size_t bytes);
  void undefine(std::size_t offset, std::size_t bytes);
  void copy(std::size_t from, std::size_t to, std::size_t bytes);
  bool is_defined(std::size_t offset, std::size_t bytes) const;

 private:
  std::uint8_t* defined_ = nullptr;  ///< 0 or 1
  std::size_t bytes_ = 0;
};

}  // namespace lathe::runtime::ptx
