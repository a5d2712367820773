// The wgmma operations that a warp has issued and not waited for, and the registers that they use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "runtime/ptx/program.h"

namespace lathe::runtime::ptx {

class Warp;

/// One wgmma.mma_async, as it was issued.
struct WgmmaProduct {
  const Step* step = nullptr;
  std::uint64_t descriptor_of_a = 0;  ///< if A is in shared memory
  std::uint64_t descriptor_of_b = 0;
  bool accumulates = true;
  std::uint64_t group = 0;  ///< counted from 0
};

/// What the ISA forbids: to touch an accumulator, or to write a register of A, between issue and wait; and to
/// issue a product whose registers were written since the last wgmma.fence. A `mov` behind the fence is
/// excused, as long as there is a fence at all between it and the last product that used the register:
/// compilers put such copies and initial zeros right before the product, and ptxas copes with them. Nor is
/// reading an accumulator between wait and product reported, or reading a register of A at any time.
class WgmmaRegisters {
 public:
  void fence() { ++fences_; }

  /// What is wrong with a step that is no wgmma; empty: nothing.
  std::string conflict_of_access(const Program& program, const Step& step) const;
  void note_writes(const Step& step);

  /// What is wrong with issuing a product; empty: nothing.
  std::string conflict_of_product(const Program& program, const Step& step);
  void begin(const Step& step);
  void end(const Step& step);

 private:
  static constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();
  struct Use {
    const Step* product = nullptr;          ///< the last one that used it
    std::uint16_t accumulating = 0;         ///< products in flight
    std::uint16_t feeding = 0;              ///< products in flight that have it as part of A
    std::uint32_t product_issued = kNever;  ///< how many fences there were before
    std::uint32_t written = kNever;         ///< likewise, the last write by another instruction
    std::uint32_t written_by = 0;           ///< index into Program::origins
    bool is_moved = false;                  ///< that was a mov
  };

  Use& use_of(Slot slot);
  std::string in_flight(const Program& program, const Use& use, bool is_read) const;
  std::string unfenced(const Program& program, const Use& use) const;

  std::uint32_t fences_ = 0;
  std::vector<Use> uses_;  ///< by Slot::id, up to the last that was ever used
};

/// Of one warp. Groups are closed by wgmma.commit_group. The device may read A and B and write the
/// accumulators at any time between issue and the end of the wait; here it is done as late as that allows.
class WgmmaState {
 public:
  WgmmaRegisters registers;

  /// Joins the open group.
  void issue(WgmmaProduct product);
  void commit() { ++groups_; }
  /// Issued and not done, oldest first.
  std::span<const WgmmaProduct> pending() const { return pending_; }
  /// Of these the ones in closed groups other than the `kept` youngest.
  std::span<const WgmmaProduct> due(std::uint64_t kept) const;
  /// The oldest are done.
  void complete(std::size_t count);

 private:
  std::vector<WgmmaProduct> pending_;
  std::uint64_t groups_ = 0;  ///< closed so far
};

/// Makes the steps that use registers of wgmma, but are none themselves, report what they do wrong. Other
/// steps cost what they did before. REQUIRES: the program is complete.
void watch_wgmma_registers(Program& program);

/// Reports a warp that ends with products pending.
void check_no_products_pending(Warp& warp);

}  // namespace lathe::runtime::ptx
