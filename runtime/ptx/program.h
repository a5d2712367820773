// Program: a kernel of a parsed module, made ready to run. Names and modifiers are gone; what is left of an
// instruction is a function pointer and where its operands lie in a warp's frame. Immutable once decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/ptx/types.h"

namespace lathe::runtime::ptx {

constexpr unsigned kLanes = 32;
/// Bit i is lane i.
using LaneMask = std::uint32_t;
constexpr LaneMask kAllLanes = ~LaneMask{0};

/// A register or a constant in a warp's frame: 32 values side by side, or the 32 bits of a predicate.
struct Slot {
  std::uint32_t offset = 0;  ///< bytes
  std::uint32_t id = 0;      ///< of its definedness; kConstant: always defined
  std::uint16_t bits = 32;   ///< of one value; 1: predicate
  bool is_negated = false;   ///< of a predicate: read as its complement

  static constexpr std::uint32_t kConstant = 0;
  static constexpr std::uint32_t kSink = 1;  ///< where results go that nobody wants
};

class Warp;
struct Step;
using Execute = void (*)(Warp&, const Step&);

/// What an instruction is counted as in a profile.
enum class StepClass : std::uint8_t {
  arithmetic,
  special_function,
  conversion,
  move,
  control,
  memory,
  synchronization,
  matrix,
};
constexpr std::size_t kStepClasses = 8;
std::string_view name_of(StepClass step_class);

/// Facts of an instruction that do not fit into Step's own fields; each group of instructions has its own.
struct Facts {
  virtual ~Facts() = default;
};

struct Step {
  Execute execute = nullptr;
  const Slot* slots = nullptr;  ///< outputs, then inputs
  std::uint16_t outputs = 0;
  std::uint16_t inputs = 0;
  StepClass step_class = StepClass::arithmetic;
  enum class Guard : std::uint8_t { none, if_true, if_false } guard = Guard::none;
  /// False: outputs are defined where all inputs are, and the interpreter sees to that.
  bool tracks_definedness_itself = false;
  Space space = Space::generic;
  Slot guard_slot{};
  std::uint32_t target = 0;       ///< step to go to
  std::int64_t offset = 0;        ///< added to an address
  std::uint64_t number = 0;       ///< whatever the instruction needs
  const Facts* facts = nullptr;   ///< owned by the Program
  std::uint32_t instruction = 0;  ///< index into Program::origins

  Slot output(std::size_t i) const { return slots[i]; }
  Slot input(std::size_t i) const { return slots[outputs + i]; }
};

/// Where a step comes from, for reports.
struct Origin {
  std::string text;    ///< of the instruction
  int line = 0;        ///< of the PTX
  std::string source;  ///< "cuda/rms_norm.cu:123"; empty without -lineinfo
};

/// What the frame's special registers hold.
enum class Special : std::uint8_t {
  tid_x,
  tid_y,
  tid_z,
  ntid_x,
  ntid_y,
  ntid_z,
  ctaid_x,
  ctaid_y,
  ctaid_z,
  nctaid_x,
  nctaid_y,
  nctaid_z,
  clusterid_x,
  clusterid_y,
  clusterid_z,
  nclusterid_x,
  nclusterid_y,
  nclusterid_z,
  cluster_ctaid_x,
  cluster_ctaid_y,
  cluster_ctaid_z,
  cluster_nctaid_x,
  cluster_nctaid_y,
  cluster_nctaid_z,
  cluster_ctarank,
  cluster_nctarank,
  is_explicit_cluster,
  laneid,
  warpid,
  nwarpid,
  smid,
  nsmid,
  gridid,
  lanemask_eq,
  lanemask_le,
  lanemask_lt,
  lanemask_ge,
  lanemask_gt,
  dynamic_smem_size,
  total_smem_size,
  aggr_smem_size,
};  // clang-format: one line a family

/// A variable of the module: each launch sees the same bytes.
struct GlobalVariable {
  std::string name;
  std::size_t bytes = 0;
  std::byte* address = nullptr;
  bool is_constant = false;
};

struct Program {
  std::string name;
  std::vector<Step> steps;
  std::vector<Origin> origins;

  std::size_t frame_bytes = 0;  ///< of one warp
  std::size_t slot_ids = 0;     ///< number of Slot::id values
  struct Constant {
    Slot slot;
    std::uint64_t value;  ///< of every lane; of a predicate the mask
  };
  std::vector<Constant> constants;
  struct SpecialSlot {
    Special special;
    Slot slot;
  };
  std::vector<SpecialSlot> specials;

  std::size_t parameter_bytes = 0;
  /// From kSharedBase on; dynamic shared memory begins behind, and this is a multiple of its alignment.
  std::size_t static_shared_bytes = 0;
  std::size_t local_bytes = 0;  ///< of one thread, `.param` of called functions included
  unsigned max_threads = 1024;
  unsigned registers = 0;  ///< of a thread when it begins; 0: not known

  // What the above points into.
  std::vector<std::unique_ptr<const Slot[]>> slot_lists;
  std::vector<std::unique_ptr<const Facts>> facts;
  std::vector<GlobalVariable> variables;
  std::vector<std::unique_ptr<std::byte[]>> storage;
};

/// Shared addresses begin here, as on the device, where what is below belongs to the system: so that 0 is
/// not an address.
constexpr std::uint32_t kSharedBase = 1024;

}  // namespace lathe::runtime::ptx
