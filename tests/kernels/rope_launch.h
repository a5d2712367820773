// RopeLaunch: the tensors of one launch of rope, on the host and on the device.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "codegen/ops/rope_tensors.h"
#include "tests/kernels/rope_case.h"
#include "tests/reference/rope.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/host_tensor.h"

namespace lathe::tests {

/// Memory that one or several tensors lie in, and what is expected of it.
struct RopeStorage {
  RopeStorage(Runtime& runtime, HostTensor values, int offset_elements);

  HostTensor before;
  std::vector<std::optional<reference::Bounds>> expected;  ///< per element; nothing: as before, bit by bit
  GuardedBuffer device;
};

struct RopeTensorCase {
  codegen::RopeTensor tensor;
  std::shared_ptr<RopeStorage> storage;
  std::size_t begin = 0;  ///< where in the storage, in elements
  Index outer_stride = 0;
  Index entry_stride = 0;
  Index head_stride = 0;

  std::size_t at(Index outer, Index entry, Index head) const {
    return begin + static_cast<std::size_t>(outer * outer_stride + entry * entry_stride + head * head_stride);
  }
};

class RopeLaunch {
 public:
  /// REQUIRES: a test whose spec is normalized.
  RopeLaunch(Runtime& runtime, const RopeCase& test);

  const RopeArgs& args() const { return args_; }
  /// Empty, or the first difference. REQUIRES: the launch is complete.
  std::string compare();

 private:
  void make_inputs(Runtime& runtime);
  void make_results(Runtime& runtime);
  void make_indices(Runtime& runtime);
  void make_table(Runtime& runtime);
  void make_weights(Runtime& runtime);
  void fill_args();
  const void* upload_indices(Runtime& runtime, DType dtype, const std::vector<std::int64_t>& values);
  std::shared_ptr<RopeStorage> storage_of(Runtime& runtime, DType dtype, std::size_t count, bool poisoned);

  bool token_exists(Index token) const;
  std::vector<std::int64_t> positions_of(Index token) const;
  std::vector<reference::RopeAngle> angles_of(Index token) const;
  void expect_token(Index token);
  void expect_row(const char* from, const char* to, Index token, Index head, double scale,
                  const std::vector<reference::Bounds>& values);
  std::vector<double> row_of(const RopeTensorCase& tensor, Index token, Index head) const;

  const RopeCase& test_;
  std::mt19937 random_;
  RopeArgs args_{};
  std::map<std::string, RopeTensorCase, std::less<>> tensors_;
  std::vector<std::unique_ptr<GuardedBuffer>> indices_;
  std::vector<std::int64_t> positions_;
  std::vector<Index> starts_;         // of sequences, and where the last ends
  std::vector<std::int64_t> places_;  // of tokens: page * page_size + entry; negative: skipped
  std::shared_ptr<RopeStorage> cos_, sin_, q_weight_, k_weight_;
  std::size_t sin_begin_ = 0;
  Index table_stride_ = 0;
};

}  // namespace lathe::tests
