// Failures are values: every function that can fail returns Result<T>, which has the member names of C++23's
// std::expected. Nothing is thrown across the API except by Result::value(), for callers who prefer
// exceptions.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <lathe/export.h>

namespace lathe {

/// What kind of failure it is. The list is closed; `Error::message` has the particulars.
enum class ErrorCode : std::uint8_t {
  invalid_argument,   ///< a launch argument, option or path that cannot be used
  invalid_spec,       ///< a spec with a field that is missing, unknown or out of range
  unsupported,        ///< valid, but not on this target or in this build
  render_failed,      ///< template and parameters do not fit: a defect of a template
  compile_failed,     ///< NVRTC or Clang rejected the source; `log` and `excerpt` say where
  toolchain_missing,  ///< no NVRTC, or a build without LLVM
  device_missing,     ///< no driver, no GPU, or none of the architecture asked for
  load_failed,        ///< the driver or the JIT linker rejected a binary
  launch_failed,      ///< the driver rejected a launch or the kernel failed
  out_of_memory,      ///< device or host memory
  io_failed,          ///< a file could not be read or written
  frozen_miss,        ///< Mode::frozen, and no store holds the kernel
  cancelled,
  internal,  ///< a defect of Lathe
};

/// Where in the pipeline it happened.
enum class Stage : std::uint8_t { api, validate, key, render, compile, store, load, launch };

LATHE_API std::string_view name_of(ErrorCode code);
LATHE_API std::string_view name_of(Stage stage);

/// Everything that a bug report needs. Only `code`, `stage` and `message` are always set.
struct Error {
  ErrorCode code = ErrorCode::internal;
  Stage stage = Stage::api;
  std::string message;    ///< what was expected, what came
  std::string hint{};     ///< what to do about it
  std::string spec{};     ///< canonical text of the spec and the target
  std::string log{};      ///< the compiler's or driver's own words
  std::string excerpt{};  ///< numbered source lines around the first errors

  /// All of it, over several lines, for a person.
  LATHE_API std::string text() const;
};

/// What Result::value() throws when there is no value.
class LATHE_API BadResult : public std::exception {
 public:
  explicit BadResult(Error error);
  ~BadResult() override;
  const char* what() const noexcept override;
  const Error& error() const noexcept { return *error_; }

 private:
  std::shared_ptr<const Error> error_;  // shared: copying an exception must not throw
  std::shared_ptr<const std::string> text_;
};

namespace detail {
/// An Error on the heap, copied when it is copied: a Result<int> should stay small.
class BoxedError {
 public:
  explicit BoxedError(Error error) : error_(std::make_unique<Error>(std::move(error))) {}
  BoxedError(const BoxedError& other) : error_(std::make_unique<Error>(*other.error_)) {}
  BoxedError(BoxedError&&) noexcept = default;
  BoxedError& operator=(BoxedError other) noexcept {
    error_.swap(other.error_);
    return *this;
  }
  ~BoxedError() = default;
  Error& operator*() noexcept { return *error_; }
  const Error& operator*() const noexcept { return *error_; }

 private:
  std::unique_ptr<Error> error_;
};
}  // namespace detail

/// A value or an Error. Copyable if the value is. `return value;` and `return Error{...};` both convert.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  using error_type = Error;

  Result(const T& value) : state_(std::in_place_index<0>, value) {}
  Result(T&& value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  /// So that `std::unique_ptr<Derived>` and the like return without a cast.
  template <class U>
    requires(std::is_convertible_v<U &&, T> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error> &&
             !std::is_same_v<std::remove_cvref_t<U>, Result>)
  Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  T& value() & { return require(), std::get<0>(state_); }
  const T& value() const& { return require(), std::get<0>(state_); }
  T&& value() && { return require(), std::get<0>(std::move(state_)); }
  T value_or(T fallback) && { return has_value() ? std::get<0>(std::move(state_)) : std::move(fallback); }

  /// REQUIRES: has_value().
  T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() noexcept { return std::get_if<0>(&state_); }
  const T* operator->() const noexcept { return std::get_if<0>(&state_); }

  /// REQUIRES: !has_value().
  Error& error() & noexcept { return **std::get_if<1>(&state_); }
  const Error& error() const& noexcept { return **std::get_if<1>(&state_); }
  Error&& error() && noexcept { return std::move(**std::get_if<1>(&state_)); }

  template <class F>
  auto and_then(F&& next) && -> std::invoke_result_t<F, T&&> {
    if (!has_value()) return std::move(*this).error();
    return std::invoke(std::forward<F>(next), std::move(**this));
  }
  template <class F>
  auto transform(F&& next) && -> Result<std::invoke_result_t<F, T&&>> {
    if (!has_value()) return std::move(*this).error();
    return std::invoke(std::forward<F>(next), std::move(**this));
  }

 private:
  void require() const {
    if (!has_value()) throw BadResult(error());
  }

  std::variant<T, detail::BoxedError> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  using error_type = Error;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool has_value() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  void value() const {
    if (error_) throw BadResult(**error_);
  }

  /// REQUIRES: !has_value().
  Error& error() & noexcept { return **error_; }
  const Error& error() const& noexcept { return **error_; }
  Error&& error() && noexcept { return std::move(**error_); }

 private:
  std::optional<detail::BoxedError> error_;
};

}  // namespace lathe
