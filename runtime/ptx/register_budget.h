// The registers of a block's warps, which setmaxnreg moves from one to another.
#pragma once

#include <vector>

namespace lathe::runtime::ptx {

/// What a kernel's directives say; 0: nothing.
struct RegisterLimits {
  unsigned max_registers = 0;  ///< .maxnreg
  unsigned max_threads = 0;    ///< .maxntid or .reqntid
  unsigned min_blocks = 0;     ///< .minnctapersm
};

/// How many registers a thread begins with, as ptxas decides for a kernel that has setmaxnreg: as many as the
/// limits allow, but not more than the largest that any setmaxnreg.inc asks for (0: there is none). 0: it
/// cannot be known without .maxnreg or .minnctapersm, and ptxas ignores setmaxnreg then.
unsigned registers_at_entry(const RegisterLimits& limits, unsigned largest_increase);

/// Each warp begins with the same number for each thread; all others of the multiprocessor belong to nobody,
/// so that a warp can get only what others of its block have released. If the number is not known, only the
/// direction of later changes is checked, and no warp waits.
class RegisterBudget {
 public:
  /// `per_thread`: 0 if not known.
  RegisterBudget(unsigned per_thread, unsigned warps);

  enum class Change { done, must_wait, wrong_direction };
  /// To so many for each thread.
  Change decrease(unsigned warp, unsigned registers);
  Change increase(unsigned warp, unsigned registers);
  unsigned registers_of(unsigned warp) const { return registers_[warp]; }

 private:
  bool is_known_;
  std::vector<unsigned> registers_;  ///< of a thread, by warp; 0: not known
  unsigned free_ = 0;                ///< released by warps, each counted with one thread
};

}  // namespace lathe::runtime::ptx
