#include "codegen/ops/rms_norm.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "codegen/spec_fields.h"
#include "runtime/base/try.h"

namespace lathe::codegen {

namespace {

Error bad_spec(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_spec,
          .stage = Stage::validate,
          .message = "rms_norm: " + std::move(message),
          .hint = std::move(hint)};
}

bool is_floating(DType dtype) {
  return dtype == f32 || dtype == f16 || dtype == bf16;
}

/// The integer fields against the ranges of the field list.
Result<void> check_ranges(const RmsNormSpec& spec) {
  Result<void> done;
  for_each_field<RmsNormSpec>([&]<class T>(const Field<RmsNormSpec, T>& field) {
    if constexpr (std::is_same_v<T, std::int64_t>) {
      const std::int64_t value = spec.*field.member;
      if (done && (value < field.min || value > field.max)) {
        done =
            bad_spec(fmt::format("{} is {}, allowed are {} to {}", field.name, value, field.min, field.max));
      }
    } else if constexpr (std::is_same_v<T, Casting> || std::is_same_v<T, Residual>) {
      if (done && static_cast<std::size_t>(spec.*field.member) >= EnumNames<T>::names.size()) {
        done = bad_spec(fmt::format("{} is no value of its enum", field.name));
      }
    }
  });
  return done;
}

/// The largest power of two, up to 16, that divides a packed row's bytes.
std::int64_t packed_alignment(const RmsNormSpec& spec) {
  const auto bytes = static_cast<std::uint64_t>(spec.hidden_size) * size_of(spec.dtype);
  return std::int64_t{1} << std::min(4, std::countr_zero(bytes));
}

Result<void> resolve_alignment(RmsNormSpec& spec) {
  const auto element = static_cast<std::int64_t>(size_of(spec.dtype));
  if (spec.alignment == 0) spec.alignment = packed_alignment(spec);
  if (!std::has_single_bit(static_cast<std::uint64_t>(spec.alignment)) || spec.alignment < element) {
    return bad_spec(fmt::format("alignment is {} bytes, allowed are powers of two from {} to 16, and 0",
                                spec.alignment, element));
  }
  return {};
}

Result<void> resolve_weight(RmsNormSpec& spec) {
  constexpr double kMaxOffset = 1e6;
  if (!std::isfinite(spec.weight_offset) || std::abs(spec.weight_offset) > kMaxOffset) {
    return bad_spec(fmt::format("weight_offset is {}, allowed are -1e6 to 1e6", spec.weight_offset));
  }
  spec.weight_offset =
      static_cast<double>(static_cast<float>(spec.weight_offset)) + 0.0;  // kernels compute in fp32; no -0
  if (!spec.has_weight) {
    if (spec.weight_dtype && *spec.weight_dtype != spec.dtype) {
      return bad_spec(fmt::format("weight_dtype is {}, but has_weight is false", name_of(*spec.weight_dtype)),
                      "leave weight_dtype out");
    }
    if (spec.weight_offset != 0) {
      return bad_spec(fmt::format("weight_offset is {}, but has_weight is false", spec.weight_offset),
                      "leave weight_offset out");
    }
  }
  if (!spec.weight_dtype) spec.weight_dtype = spec.dtype;
  if (!is_floating(*spec.weight_dtype)) {
    return bad_spec(
        fmt::format("weight_dtype is {}, allowed are f32, f16 and bf16", name_of(*spec.weight_dtype)));
  }
  return {};
}

// ---- Launch arguments.

Error bad_argument(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::launch,
          .message = "rms_norm: " + std::move(message),
          .hint = std::move(hint)};
}

/// A tensor of rows: its pointer and the two strides that go with it, which are filled in.
struct Rows {
  const char* name;
  const void* pointer;
  Index* row_stride;
  Index* head_stride;
  bool is_output;
};

Result<void> check_pointer(const char* name, const void* pointer, std::int64_t alignment) {
  if (pointer == nullptr)
    return bad_argument(fmt::format("{} is null", name), "the spec says that it is used");
  if (reinterpret_cast<std::uintptr_t>(pointer) % static_cast<std::uint64_t>(alignment) != 0) {
    return bad_argument(fmt::format("{} is {}, not a multiple of {} bytes", name, pointer, alignment),
                        "give the spec the alignment that holds for all tensors and strides");
  }
  return {};
}

Error bad_stride(const RmsNormSpec& spec, const char* tensor, const char* kind, Index stride) {
  if (stride < 0) {
    return bad_argument(
        fmt::format("{}_{}_stride is {}, negative strides are not supported", tensor, kind, stride));
  }
  return bad_argument(fmt::format("{}_{}_stride is {} elements of {} bytes, not a multiple of {} bytes",
                                  tensor, kind, stride, size_of(spec.dtype), spec.alignment),
                      fmt::format("compile the kernel with alignment={}", size_of(spec.dtype)));
}

bool is_usable_stride(const RmsNormSpec& spec, Index stride) {
  const auto bytes = static_cast<std::uint64_t>(stride) * size_of(spec.dtype);
  return stride >= 0 && bytes % static_cast<std::uint64_t>(spec.alignment) == 0;
}

Result<void> resolve_strides(const RmsNormSpec& spec, const Rows& tensor) {
  const Index hidden = spec.hidden_size;
  Index& row = *tensor.row_stride;
  Index& head = *tensor.head_stride;
  if (head == 0 || spec.heads == 1) head = hidden;  // with one head it is never used
  if (row == 0) row = spec.heads * head;
  if (!is_usable_stride(spec, row)) return bad_stride(spec, tensor.name, "row", row);
  if (spec.heads > 1 && !is_usable_stride(spec, head)) return bad_stride(spec, tensor.name, "head", head);
  // Rows that are written must not share elements, whichever of tokens and heads is outside.
  const Index nearest = spec.heads > 1 ? std::min(row, head) : row;
  if (tensor.is_output && nearest < hidden) {
    return bad_argument(fmt::format("{}: strides of {} and {} elements make rows of {} overlap", tensor.name,
                                    row, head, hidden),
                        "a stride of 0 means tightly packed");
  }
  return {};
}

Result<void> check_tensors(const RmsNormSpec& spec, RmsNormArgs& args) {
  const bool has_residual = spec.residual != Residual::none;
  const Rows tensors[] = {
      {"x", args.x, &args.x_row_stride, &args.x_head_stride, false},
      {"y", args.y, &args.y_row_stride, &args.y_head_stride, true},
      {"residual_in", args.residual_in, &args.residual_in_row_stride, &args.residual_in_head_stride, false},
      {"residual_out", args.residual_out, &args.residual_out_row_stride, &args.residual_out_head_stride,
       true}};
  for (const Rows& tensor : std::span(tensors).first(has_residual ? 4 : 2)) {
    LATHE_CHECK(check_pointer(tensor.name, tensor.pointer, spec.alignment));
    LATHE_CHECK(resolve_strides(spec, tensor));
  }
  if (spec.has_weight) {
    // As many elements per access as for x.
    const std::int64_t elements = spec.alignment / static_cast<std::int64_t>(size_of(spec.dtype));
    const std::int64_t bytes = elements * static_cast<std::int64_t>(size_of(*spec.weight_dtype));
    LATHE_CHECK(check_pointer("weight", args.weight, std::min<std::int64_t>(16, bytes)));
  }
  if (spec.store_rstd) LATHE_CHECK(check_pointer("rstd", args.rstd, sizeof(float)));
  return {};
}

constexpr Index kMaxRows = Index{1} << 46;  // beyond any memory; keeps every product below 2^63

}  // namespace

Result<KernelSpec> normalize_rms_norm(const KernelSpec& given) {
  RmsNormSpec spec = std::get<RmsNormSpec>(given);
  LATHE_CHECK(check_ranges(spec));
  if (!is_floating(spec.dtype)) {
    return bad_spec(fmt::format("dtype is {}, allowed are f32, f16 and bf16", name_of(spec.dtype)));
  }
  LATHE_CHECK(resolve_weight(spec));
  LATHE_CHECK(resolve_alignment(spec));
  return KernelSpec(spec);
}

Result<RenderPlan> plan_rms_norm(const KernelSpec& spec, const Target& target) {
  const auto& norm = std::get<RmsNormSpec>(spec);
  return target.backend == Backend::cpu ? plan_rms_norm_cpu(norm, target) : plan_rms_norm_cuda(norm, target);
}

Result<Grid> prepare_rms_norm(const KernelSpec& any, const LaunchFacts& launch, std::span<std::byte> bytes) {
  const auto& spec = std::get<RmsNormSpec>(any);
  auto& args = *reinterpret_cast<RmsNormArgs*>(bytes.data());
  if (args.rows < 0 || args.rows > kMaxRows) {
    return bad_argument(fmt::format("rows is {}, allowed are 0 to 2^46", args.rows));
  }
  if (!std::isfinite(args.epsilon) || args.epsilon < 0) {
    return bad_argument(fmt::format("epsilon is {}, it must be finite and not negative", args.epsilon));
  }
  if (args.rows == 0) return Grid{};
  LATHE_CHECK(check_tensors(spec, args));
  const Index units = args.rows * spec.heads;
  const auto blocks =
      static_cast<std::uint64_t>((units + launch.work_per_block - 1) / launch.work_per_block) *
      launch.cluster.x;
  constexpr std::uint64_t kMaxBlocks = 0x7FFFFFFF;
  if (blocks > kMaxBlocks) {
    return bad_argument(
        fmt::format("rows is {}, {} blocks, more than a grid of 2^31 - 1 takes", args.rows, blocks),
        "launch it in parts");
  }
  return Grid{.x = blocks};
}

std::vector<Argument> arguments_of_rms_norm(const KernelSpec& any) {
  const auto& spec = std::get<RmsNormSpec>(any);
  const std::vector<Extent> rows{{0, "rows"}, {spec.heads}, {spec.hidden_size}};
  using A = RmsNormArgs;
  using enum ArgumentKind;
  std::vector<Argument> arguments{{"x", input, spec.dtype, offsetof(A, x), rows, "what is normalised"},
                                  {"y", output, spec.dtype, offsetof(A, y), rows, "the result; may be x"}};
  if (spec.has_weight) {
    arguments.push_back({"weight",
                         input,
                         spec.weight_dtype.value_or(spec.dtype),
                         offsetof(A, weight),
                         {{spec.hidden_size}},
                         "one per element of a row"});
  }
  if (spec.residual != Residual::none) {
    arguments.push_back(
        {"residual_in", input, spec.dtype, offsetof(A, residual_in), rows, "added to x first"});
    arguments.push_back(
        {"residual_out", output, spec.dtype, offsetof(A, residual_out), rows, "the sum; may be residual_in"});
  }
  if (spec.store_rstd) {
    arguments.push_back(
        {"rstd", output, f32, offsetof(A, rstd), {{0, "rows"}, {spec.heads}}, "1 / sqrt(mean + epsilon)"});
  }
  arguments.push_back({"rows", scalar, i64, offsetof(A, rows), {}, "tokens", false});
  arguments.push_back(
      {"epsilon", scalar, f32, offsetof(A, epsilon), {}, "added to the mean square; default 1e-6", false});
  const std::pair<std::string_view, std::size_t> strides[] = {
      {"x_row_stride", offsetof(A, x_row_stride)},
      {"y_row_stride", offsetof(A, y_row_stride)},
      {"residual_in_row_stride", offsetof(A, residual_in_row_stride)},
      {"residual_out_row_stride", offsetof(A, residual_out_row_stride)},
      {"x_head_stride", offsetof(A, x_head_stride)},
      {"y_head_stride", offsetof(A, y_head_stride)},
      {"residual_in_head_stride", offsetof(A, residual_in_head_stride)},
      {"residual_out_head_stride", offsetof(A, residual_out_head_stride)}};
  for (const auto& [name, offset] : strides) {
    arguments.push_back({name, scalar, i64, offset, {}, "elements; 0: tightly packed", false});
  }
  return arguments;
}

}  // namespace lathe::codegen
