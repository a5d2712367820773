// Op: one row of a closed table. An op is a handful of free functions; adding one touches no other file than
// its own and one line in op_table.cpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lathe/error.h>
#include <lathe/specs.h>
#include <lathe/target.h>

#include "codegen/kernel_source.h"

namespace lathe::codegen {

/// One field of a spec as users see it: for `lathe spec OP`, messages and the JSON schema.
struct FieldInfo {
  std::string name;  ///< of fields of what a field holds: "src.axes", "segments[].length"
  std::string type;  ///< "integer", "number", "boolean", "dtype", "enum", "text", "object", "list of ..."
  std::string default_value;  ///< JSON text; "required" where there is none
  std::string unit;           ///< "elements", "bytes", or empty
  std::string allowed;        ///< "1 to 262144", "f32, f16, bf16"
  std::string doc;
};

enum class ArgumentKind : std::uint8_t {
  input,
  output,
  update,  ///< a tensor that is read and written: a gradient that is added to, a cache that is scattered to
  workspace,  ///< a pointer, followed in the struct by an Index that holds the size in bytes
  scalar,
};

/// One extent of a tensor: a constant from the spec, or the name of an integer scalar of the Args.
struct Extent {
  std::int64_t constant = 0;
  std::string_view symbol{};  ///< non-empty: the extent is the value of this scalar plus the constant
};

/// One member of the op's Args struct, so that tools and tests can fill it by name.
struct Argument {
  std::string_view name;
  ArgumentKind kind = ArgumentKind::input;
  DType dtype = f32;            ///< of the elements; of the scalar (i64 or f32)
  std::size_t offset = 0;       ///< of the pointer or the scalar in the struct
  std::vector<Extent> shape{};  ///< tensors only
  std::string_view doc{};
  bool required = true;  ///< false: has a default or can be derived (strides); tensors: may be null
};

/// The parameter block's values: name in the template -> C++ text. Every one must be declared there, and
/// every declaration there must have one.
using Parameters = std::vector<std::pair<std::string, std::string>>;

/// Everything of a kernel that follows from spec and target, before any text is looked at.
struct RenderPlan {
  std::string template_name;  ///< "cuda/rms_norm.cu"
  Parameters parameters;
  std::vector<EntryPoint> entries;
  /// Take the place of the library's headers of the same names, which are samples: text from the spec.
  std::vector<SourceFile> extra_headers{};
};

/// Grid of one launch, in blocks. `x` of 0: nothing to do.
struct Grid {
  std::uint64_t x = 0;
  unsigned y = 1, z = 1;

  friend bool operator==(const Grid&, const Grid&) = default;
};

/// One grid per entry point, in their order. Those of entries that the kernel does not have are empty.
using Grids = std::array<Grid, kMaxEntries>;

/// Where a launch happens, as far as its grids depend on it.
struct LaunchSite {
  /// Of the kernel. Without names: there is none yet, and arguments are checked as far as they can be.
  std::span<const EntryPoint> entries;
  int processors = 1;  ///< multiprocessors of the GPU, or threads that kernels use on the CPU
};

struct Op {
  std::string_view name;
  std::string_view summary;
  std::size_t args_size;

  /// Checks every field and resolves defaults. Idempotent. Errors: invalid_spec naming field, value and
  /// allowed range.
  Result<KernelSpec> (*normalize)(const KernelSpec&);
  /// REQUIRES: a normalized spec. Errors: unsupported.
  Result<RenderPlan> (*plan)(const KernelSpec&, const Target&);
  /// Checks launch arguments, fills in what may be left out (strides) in place, and gives the grids. On the
  /// hot path: no allocation unless it fails. REQUIRES: args.size() == args_size.
  Result<Grids> (*prepare)(const KernelSpec&, const LaunchSite&, std::span<std::byte> args);
  /// What the Args struct holds, for a normalized spec.
  std::vector<Argument> (*arguments)(const KernelSpec&);
  /// Bytes that a launch with these arguments needs as workspace. nullptr: never any.
  Result<std::size_t> (*workspace_bytes)(const KernelSpec&, const LaunchSite&,
                                         std::span<const std::byte> args) = nullptr;
  /// Of an op that does a launch in several rounds (one chunk of tokens after the other, through the same
  /// workspace): turns the arguments and grids of a round into those of the next; false after the last one.
  /// What prepare() gives is the first round. nullptr: there is one only.
  bool (*next_round)(const KernelSpec&, const LaunchSite&, std::span<std::byte> args, Grids& grids) = nullptr;
};

/// All ops, in the order of design and documentation.
std::span<const Op> all_ops();

/// The row of a spec's op.
const Op& op_of(const KernelSpec& spec);

/// nullptr when there is none of that name.
const Op* find_op(std::string_view name);

}  // namespace lathe::codegen
