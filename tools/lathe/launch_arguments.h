// LaunchArguments: the Args struct of any op, filled by name from arrays and numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/error.h>
#include <lathe/runtime.h>
#include <lathe/specs.h>

#include "tools/lathe/launch_tensor.h"
#include "tools/lathe/npy.h"

namespace lathe::tools {

/// What was given on the command line, by name.
struct GivenArguments {
  std::map<std::string, NpyArray> inputs;
  std::map<std::string, std::string> scalars;
};

/// Not thread-safe.
class LaunchArguments {
 public:
  /// Derives what was left out: counts from shapes, strides as tightly packed. Touches no device. Errors:
  /// invalid_argument naming the tensor or scalar, what was expected and what was found. REQUIRES: a
  /// normalized spec.
  static Result<LaunchArguments> make(const KernelSpec& spec, const GivenArguments& given);

  /// Allocates all tensors, and what the kernel needs as workspace, and copies the inputs. Every byte of an
  /// output and of the workspace is set to 0xFF first, NaN in the floating-point formats, so that elements
  /// that a kernel forgets are seen.
  Result<void> upload(Runtime& runtime, const Kernel& kernel);

  /// The Args struct; pointers are valid after upload().
  std::span<const std::byte> bytes() const { return args_; }
  /// For what a plan adds.
  std::span<std::byte> bytes() { return args_; }

  /// Brings an output back, as an array of the shape that the inputs had. REQUIRES: upload(), and the launch
  /// is complete. Errors: invalid_argument for a name that is not an output's.
  Result<NpyArray> download(Runtime& runtime, const std::string& name) const;

  /// Errors: invalid_argument, when no output has that name.
  Result<void> check_output(const std::string& name) const;

  std::span<const LaunchTensor> tensors() const { return tensors_; }

 private:
  LaunchArguments() = default;
  std::vector<std::string_view> output_names() const;

  std::vector<std::byte> args_;
  std::vector<LaunchTensor> tensors_;
  std::optional<std::size_t> workspace_offset_;
  Buffer workspace_;
  bool has_unit_extents_ = false;  // an input came with the extents of one that may be left out
};

}  // namespace lathe::tools
