// What is known of a wgmma.mma_async once it is decoded.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/ptx/matrix_product.h"
#include "runtime/ptx/program.h"
#include "runtime/ptx/wgmma_operand.h"

namespace lathe::runtime::ptx {

/// Outputs of the step are the accumulators, inputs A (a descriptor or registers), the descriptor of B and
/// the predicate of whether the accumulators' values count.
struct WgmmaFacts : Facts {
  unsigned columns = 8;         ///< of B and D
  unsigned depth = 16;          ///< elements along K
  unsigned registers_of_a = 0;  ///< 0: A is in shared memory
  bool is_a_transposed = false;
  bool is_b_transposed = false;
  bool is_negated = false;  ///< the product, before it is added
  unsigned accumulators_per_register = 1;

  using Values = void (*)(const DepthSlice&, double*);
  Values values_of_a = nullptr;
  Values values_of_b = nullptr;
  void (*load_a)(Warp&, std::span<const Slot>, unsigned rows, MatrixProduct&) = nullptr;
  void (*load_c)(Warp&, std::span<const Slot>, MatrixProduct&) = nullptr;
  void (*store_d)(Warp&, std::span<const Slot>, MatrixProduct&) = nullptr;

  std::span<const Slot> d(const Step& step) const { return {step.slots, step.outputs}; }
  std::span<const Slot> a(const Step& step) const { return {step.slots + step.outputs, registers_of_a}; }
  Slot descriptor_of_a(const Step& step) const { return step.input(0); }
  Slot descriptor_of_b(const Step& step) const {
    return step.input(registers_of_a == 0 ? 1 : registers_of_a);
  }
  Slot accumulates(const Step& step) const { return step.input(step.inputs - 1u); }

  /// Products of one shape that add to the same registers follow each other without a fence.
  bool has_shape_of(const WgmmaFacts& other) const {
    return columns == other.columns && depth == other.depth;
  }
};

}  // namespace lathe::runtime::ptx
