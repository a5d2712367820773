// All memory of one launch of linear_cross_entropy: filled from a problem, launched, looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <lathe/runtime.h>

#include "tests/kernels/linear_cross_entropy_check.h"
#include "tests/kernels/linear_cross_entropy_problem.h"
#include "tests/support/guarded_buffer.h"

namespace lathe::tests {

using Bytes = std::vector<std::byte>;

/// Device memory and what it held before a launch.
struct Memory {
  Memory(Runtime& runtime, Bytes values, std::size_t offset = 0)
      : before(std::move(values)), device(runtime, before.size(), offset) {
    restore();
  }
  void restore() { device.upload(before.data()); }

  Bytes before;
  GuardedBuffer device;
};

template <class T>
inline Bytes bytes_of(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <class T>
inline std::vector<T> values_of(const Bytes& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

inline Bytes poison(std::size_t bytes) {
  return Bytes(bytes, std::byte{0xFF});
}

/// All memory of one launch.
class LinearCrossEntropyLaunch {
 public:
  LinearCrossEntropyLaunch(Runtime& runtime, const LinearCrossEntropyCase& test,
                           const LinearCrossEntropySpec& normalized)
      : runtime_(runtime), test_(test), spec_(normalized) {
    args_.tokens = test.tokens;
    args_.ignore_index = test.ignore_index;
    args_.workspace_budget = test.budget;
    args_.label_smoothing = test.label_smoothing;
    args_.lse_square_scale = test.lse_square_scale;
    args_.soft_cap = test.soft_cap;
    args_.temperature = test.temperature;
    args_.vocab_total = spec_.vocab_parallel ? test.spec.vocab_size : 0;
  }

  LinearCrossEntropyArgs& args() { return args_; }

  /// Memory that must not change.
  template <class T>
  void input(T*& pointer, std::string_view name, Bytes values, std::size_t offset = 0) {
    auto& memory =
        inputs_.emplace_back(name, std::make_unique<Memory>(runtime_, std::move(values), offset)).second;
    pointer = static_cast<T*>(memory->device.data());
  }
  template <class T>
  void output(T*& pointer, std::string_view name, Bytes before, std::size_t offset = 0) {
    auto& memory =
        outputs_.emplace_back(name, std::make_unique<Memory>(runtime_, std::move(before), offset)).second;
    pointer = static_cast<T*>(memory->device.data());
  }

  void add_matrices(const LinearCrossEntropyProblem& problem, Index first, Index classes) {
    const std::size_t element = problem.hidden.values.element_bytes();
    const auto offset = static_cast<std::size_t>(test_.offset_elements) * element;
    input(args_.hidden, "hidden", problem.hidden.values.bytes(), offset);
    args_.hidden_stride = problem.hidden.stride;
    const Bytes& all = problem.weight.values.bytes();
    const auto begin = static_cast<std::ptrdiff_t>(problem.weight.at(first, 0) * element);
    const auto end =
        static_cast<std::ptrdiff_t>(problem.weight.at(first + classes - 1, problem.weight.columns) * element);
    input(args_.weight, "weight", Bytes(all.begin() + begin, all.begin() + end), offset);
    args_.weight_stride = problem.weight.stride;
    if (spec_.has_bias) {
      const Bytes& bias = problem.bias.bytes();
      const auto size = static_cast<std::ptrdiff_t>(problem.bias.element_bytes());
      input(args_.bias, "bias", Bytes(bias.begin() + first * size, bias.begin() + (first + classes) * size));
    }
  }

  void add_vectors(const LinearCrossEntropyProblem& problem) {
    Bytes targets = bytes_of(problem.targets);
    if (spec_.target_dtype == i32)
      targets = bytes_of(std::vector<std::int32_t>(problem.targets.begin(), problem.targets.end()));
    input(args_.targets, "targets", std::move(targets));
    if (spec_.has_class_weights) input(args_.class_weights, "class_weights", bytes_of(problem.class_weights));
    if (spec_.upstream != UpstreamGradient::one)
      input(args_.upstream, "upstream", bytes_of(problem.upstream));
    output(args_.bad_targets, "bad_targets", bytes_of(std::vector<int>{0}));
    if (spec_.mode != LinearCrossEntropyMode::recompute) return;
    const auto& expected = problem.expected;
    input(args_.lse_in, "lse_in", bytes_of(std::vector<float>(expected.lse.begin(), expected.lse.end())));
    if (spec_.scales_by_probability) {
      const auto& logits = expected.target_logits;
      input(args_.target_logits_in, "target_logits_in",
            bytes_of(std::vector<float>(logits.begin(), logits.end())));
    }
    if (!spec_.has_entropy_gradient) return;
    const auto& entropy = expected.entropy;
    input(args_.entropy_in, "entropy_in", bytes_of(std::vector<float>(entropy.begin(), entropy.end())));
    input(args_.entropy_upstream, "entropy_upstream", bytes_of(problem.entropy_upstream));
  }

  void add_losses() {
    const auto tokens = static_cast<std::size_t>(test_.tokens);
    const bool reduces = spec_.reduction != LossReduction::none;
    if (reduces && spec_.mode != LinearCrossEntropyMode::recompute) output(args_.loss, "loss", poison(4));
    if (spec_.store_losses) output(args_.losses, "losses", poison(tokens * 4));
    if (spec_.store_z_loss) output(args_.z_loss, "z_loss", poison(reduces ? 4 : tokens * 4));
    if (spec_.store_lse) output(args_.lse, "lse", poison(tokens * 4));
    if (spec_.store_target_logits) output(args_.target_logits, "target_logits", poison(tokens * 4));
    if (spec_.store_entropy) output(args_.entropy, "entropy", poison(tokens * 4));
    if (spec_.store_argmax) output(args_.argmax, "argmax", poison(tokens * 8));
    if (spec_.store_accuracy) output(args_.accuracy, "accuracy", poison(4));
  }

  /// Gradients; those that are added to hold 1 first.
  void add_gradients(Index classes) {
    if (spec_.store_d_hidden) {
      const StridedMatrix matrix(*spec_.d_hidden_dtype, test_.tokens, spec_.hidden_size,
                                 spec_.hidden_size + 3 * test_.padding);
      output(args_.d_hidden, "d_hidden", matrix.values.bytes(), offset_of(*spec_.d_hidden_dtype));
      args_.d_hidden_stride = matrix.stride;
    }
    if (!spec_.store_d_weight) return;
    StridedMatrix matrix(spec_.d_weight_dtype, classes, spec_.hidden_size,
                         spec_.hidden_size + 4 * test_.padding);
    HostTensor bias = HostTensor::poisoned(spec_.d_weight_dtype, static_cast<std::size_t>(classes));
    if (spec_.accumulate_d_weight) {
      for (Index row = 0; row < classes; ++row) {
        bias.set(static_cast<std::size_t>(row), 1);
        for (Index i = 0; i < spec_.hidden_size; ++i) matrix.values.set(matrix.at(row, i), 1);
      }
    }
    output(args_.d_weight, "d_weight", matrix.values.bytes(), offset_of(spec_.d_weight_dtype));
    args_.d_weight_stride = matrix.stride;
    if (spec_.has_bias) output(args_.d_bias, "d_bias", bias.bytes());
  }

  /// `before` is what every byte of the workspace holds first. Empty: it went well.
  std::string run(const KernelFor<LinearCrossEntropySpec>& kernel, std::byte before = std::byte{0xFF}) {
    auto bytes = kernel.workspace_bytes(args_);
    if (!bytes) return bytes.error().text();
    if (test_.budget > 0 && *bytes > static_cast<std::size_t>(test_.budget))
      return fmt::format("the workspace has {} bytes, more than the budget of {}", *bytes, test_.budget);
    const Memory workspace(runtime_, Bytes(*bytes, before));
    args_.workspace = workspace.device.data();
    args_.workspace_bytes = static_cast<Index>(*bytes);
    if (auto queued = kernel.launch(args_, {}); !queued) return queued.error().text();
    if (auto done = runtime_.synchronize({}); !done) return done.error().text();
    static_cast<void>(workspace.device.download());  // checks the bands around it
    for (const auto& [name, memory] : inputs_) {
      if (memory->device.download() != memory->before) return fmt::format("{} was written", name);
    }
    return {};
  }

  /// Again, as if nothing had been launched, but in a workspace of zeros, or of large numbers: must give the
  /// same bits.
  std::string run_again(const KernelFor<LinearCrossEntropySpec>& kernel) {
    std::vector<Bytes> first;
    for (const auto& [name, memory] : outputs_) first.push_back(memory->device.download());
    for (const auto& [name, memory] : outputs_) memory->restore();
    const std::byte before{test_.seed % 2 == 0 ? std::uint8_t{0} : std::uint8_t{0x47}};
    if (std::string wrong = run(kernel, before); !wrong.empty()) return wrong;
    for (std::size_t i = 0; i < first.size(); ++i) {
      if (outputs_[i].second->device.download() != first[i])
        return fmt::format("the second launch gave other bits of {} than the first", outputs_[i].first);
    }
    return {};
  }

  /// Nothing if it is not stored.
  std::optional<Bytes> result(std::string_view name) const {
    for (const auto& [each, memory] : outputs_) {
      if (each == name) return memory->device.download();
    }
    return std::nullopt;
  }
  std::vector<float> floats(std::string_view name) const {
    return values_of<float>(result(name).value_or(Bytes{}));
  }

  StoredLosses losses() const {
    StoredLosses stored{.loss = floats("loss"),
                        .losses = floats("losses"),
                        .z_loss = floats("z_loss"),
                        .lse = floats("lse"),
                        .target_logits = floats("target_logits"),
                        .entropy = floats("entropy"),
                        .argmax = values_of<Index>(result("argmax").value_or(Bytes{})),
                        .accuracy = floats("accuracy")};
    stored.bad_targets = values_of<int>(*result("bad_targets")).front();
    return stored;
  }

  /// Not of this launch: empty.
  StoredMatrix matrix(std::string_view name, DType dtype, Index rows, Index columns, Index stride) const {
    const auto bytes = result(name);
    if (!bytes) return {};
    StridedMatrix stored(dtype, rows, columns, stride);
    stored.values.bytes() = *bytes;
    for (Index row = 0; row + 1 < rows; ++row) {
      const std::size_t element = stored.values.element_bytes();
      for (std::size_t at = stored.at(row, columns) * element; at < stored.at(row + 1, 0) * element; ++at) {
        if ((*bytes)[at] != std::byte{0xFF})
          return {.wrong = fmt::format("{} was written between its rows", name)};
      }
    }
    return {.values = stored.as_reference()};
  }
  StoredMatrix d_hidden() const {
    return matrix("d_hidden", *spec_.d_hidden_dtype, test_.tokens, spec_.hidden_size, args_.d_hidden_stride);
  }
  StoredMatrix d_weight(Index classes) const {
    return matrix("d_weight", spec_.d_weight_dtype, classes, spec_.hidden_size, args_.d_weight_stride);
  }
  StoredMatrix d_bias(Index classes) const { return matrix("d_bias", spec_.d_weight_dtype, classes, 1, 1); }

 private:
  std::size_t offset_of(DType dtype) const {
    return static_cast<std::size_t>(test_.offset_elements) * size_of(dtype);
  }

  using Named = std::pair<std::string_view, std::unique_ptr<Memory>>;
  Runtime& runtime_;
  const LinearCrossEntropyCase& test_;
  const LinearCrossEntropySpec& spec_;
  LinearCrossEntropyArgs args_;
  std::vector<Named> inputs_, outputs_;
};

}  // namespace lathe::tests
