// KernelSource: what render() makes and a Compiler takes. Immutable once made.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::codegen {

/// A named text: a template, or a header that templates include.
struct SourceFile {
  std::string name;  ///< as written in #include, relative to templates/: "cuda/vec.cuh", "lathe/args.h"
  std::string text;

  friend bool operator==(const SourceFile&, const SourceFile&) = default;
};

/// What compilers are told that the names of sources are relative to, where they ask: no place on this
/// machine, so that the line information in a binary is the same on every one.
inline constexpr std::string_view kSourceRoot = "/lathe-templates/";

/// Most entry points of a kernel.
inline constexpr std::size_t kMaxEntries = 8;

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  friend bool operator==(const Dim3&, const Dim3&) = default;
};

/// How a kernel wants to be launched, fixed when it is rendered. The grid follows from the arguments at each
/// launch.
struct LaunchFacts {
  Dim3 block{};                       ///< threads; 1 on the CPU
  Dim3 cluster{};                     ///< blocks per cluster; {1,1,1}: no cluster launch
  unsigned dynamic_shared_bytes = 0;  ///< per block
  long long work_per_block = 1;       ///< rows (or the op's unit of work) that one block of the grid covers
  bool programmatic_launch = false;   ///< the kernel executes griddepcontrol.wait

  friend bool operator==(const LaunchFacts&, const LaunchFacts&) = default;
};

/// One function of a kernel. A kernel that works in steps has several, which are launched in order with the
/// same arguments.
struct EntryPoint {
  std::string name;  ///< as in the code: extern "C"
  LaunchFacts launch{};

  friend bool operator==(const EntryPoint&, const EntryPoint&) = default;
};

/// A rendered kernel: real CUDA C++ or C++, ready for a compiler.
///
/// Entry points. CUDA: `extern "C" __global__ void ENTRY(const __grid_constant__ Args args)`.
/// CPU: `extern "C" void ENTRY(const Args* args, Index first_block, Index last_block)`, which does the blocks
/// [first_block, last_block) of a one-dimensional grid and is called from several threads at once.
struct KernelSource {
  std::string name;                   ///< template's name, for diagnostics: "cuda/rms_norm.cu"
  std::string text;                   ///< the template with its parameter block filled in
  std::vector<SourceFile> headers{};  ///< all that it includes, directly or not, sorted by name
  std::vector<EntryPoint> entries;    ///< in the order of their launches; 1 to kMaxEntries
};

}  // namespace lathe::codegen
