#include "tools/lathe/launch_arguments.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/edit_distance.h"
#include "runtime/base/try.h"

namespace lathe::tools {

namespace {

using codegen::Argument;
using codegen::ArgumentKind;
using codegen::Extent;

/// Values of the scalars that shapes depend on: {"rows", 8}.
using Symbols = std::map<std::string, std::int64_t, std::less<>>;

Error bad(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::api,
          .message = std::move(message),
          .hint = std::move(hint)};
}

Error unknown_name(std::string_view what, const std::string& name,
                   const std::vector<std::string_view>& known) {
  return bad(fmt::format("there is no {} \"{}\"{}", what, name, codegen::did_you_mean(name, known)),
             known.empty() ? fmt::format("this spec has no {}", what)
                           : fmt::format("this spec has {}", fmt::join(known, ", ")));
}

std::vector<std::string_view> names_of(std::span<const Argument> arguments, ArgumentKind kind) {
  std::vector<std::string_view> names;
  for (const Argument& argument : arguments) {
    if (argument.kind == kind) names.push_back(argument.name);
  }
  return names;
}

bool is_given(const Argument& argument) {
  return argument.kind == ArgumentKind::input || argument.kind == ArgumentKind::update;
}

bool is_result(const Argument& argument) {
  return argument.kind == ArgumentKind::output || argument.kind == ArgumentKind::update;
}

/// One that may be null, and is.
bool is_left_out(const Argument& argument, const GivenArguments& given) {
  return is_given(argument) && !argument.required && !given.inputs.contains(std::string(argument.name));
}

Result<void> check_names(std::span<const Argument> arguments, const GivenArguments& given) {
  auto inputs = names_of(arguments, ArgumentKind::input);
  const auto updates = names_of(arguments, ArgumentKind::update);
  inputs.insert(inputs.end(), updates.begin(), updates.end());
  const auto scalars = names_of(arguments, ArgumentKind::scalar);
  for (const auto& [name, array] : given.inputs) {
    if (std::find(inputs.begin(), inputs.end(), name) == inputs.end())
      return unknown_name("input", name, inputs);
  }
  for (const auto& [name, value] : given.scalars) {
    if (std::find(scalars.begin(), scalars.end(), name) == scalars.end()) {
      return unknown_name("scalar", name, scalars);
    }
  }
  for (const Argument& argument : arguments) {
    const std::string name(argument.name);
    if (is_given(argument) && !given.inputs.contains(name) && !is_left_out(argument, given))
      return bad(fmt::format("the input {} is missing", name), fmt::format("add --in {}=FILE.npy", name));
  }
  return {};
}

// ---- Scalars.

template <class T>
Result<T> parse_number(const Argument& scalar, const std::string& text, std::string_view expected) {
  T value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) {
    return bad(fmt::format("{} is \"{}\", expected {}", scalar.name, text, expected),
               fmt::format("for example --set {}=1", scalar.name));
  }
  return value;
}

template <class T>
void store(std::span<std::byte> args, std::size_t offset, const T& value) {
  std::memcpy(args.data() + offset, &value, sizeof value);
}

Result<void> store_scalars(std::span<const Argument> arguments, const GivenArguments& given,
                           std::span<std::byte> args) {
  for (const Argument& argument : arguments) {
    const auto found = given.scalars.find(std::string(argument.name));
    if (found == given.scalars.end()) continue;
    if (argument.dtype == i64) {
      LATHE_TRY(const auto value, parse_number<Index>(argument, found->second, "an integer"));
      store(args, argument.offset, value);
    } else {
      LATHE_TRY(const auto value, parse_number<float>(argument, found->second, "a number"));
      store(args, argument.offset, value);
    }
  }
  return {};
}

// ---- Shapes.

/// An extent of one that arrays may leave out: one that follows a count, such as the heads of a norm that has
/// only one. A row of one element keeps its extent.
bool may_be_left_out(std::span<const Extent> extents, std::size_t index) {
  const Extent& extent = extents[index];
  return index > 0 && !extents[index - 1].symbol.empty() && extent.symbol.empty() && extent.constant == 1;
}

std::string expected_shape(const Argument& tensor) {
  std::vector<std::string> extents;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    const Extent& extent = tensor.shape[i];
    if (may_be_left_out(tensor.shape, i)) continue;
    if (extent.symbol.empty()) {
      extents.push_back(std::to_string(extent.constant));
    } else {
      extents.push_back(std::string(extent.symbol) +
                        (extent.constant != 0 ? fmt::format(" + {}", extent.constant) : ""));
    }
  }
  return fmt::format("[{}]", fmt::join(extents, ", "));
}

/// Compares, and learns the symbols that are not known yet. False: it does not fit.
bool match_extents(std::span<const Extent> extents, std::span<const std::int64_t> shape, bool with_ones,
                   Symbols& symbols) {
  std::size_t at = 0;
  Symbols learnt = symbols;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const Extent& extent = extents[i];
    if (!with_ones && may_be_left_out(extents, i)) continue;
    if (at == shape.size()) return false;
    const std::int64_t found = shape[at++];
    const std::int64_t expected =
        extent.symbol.empty()
            ? extent.constant
            : extent.constant +
                  learnt.try_emplace(std::string(extent.symbol), found - extent.constant).first->second;
    if (found != expected) return false;
  }
  if (at != shape.size()) return false;
  symbols = std::move(learnt);
  return true;
}

Result<Symbols> derive_symbols(std::span<const Argument> arguments, const GivenArguments& given,
                               bool& has_ones) {
  Symbols symbols;
  for (const Argument& argument : arguments) {
    const auto set = given.scalars.find(std::string(argument.name));
    if (set == given.scalars.end() || argument.dtype != i64) continue;
    LATHE_TRY(const auto value, parse_number<std::int64_t>(argument, set->second, "an integer"));
    symbols.emplace(argument.name, value);
  }
  for (const Argument& argument : arguments) {
    if (!is_given(argument)) continue;
    const NpyArray& array = given.inputs.at(std::string(argument.name));
    if (match_extents(argument.shape, array.shape, false, symbols)) continue;
    if (match_extents(argument.shape, array.shape, true, symbols)) {
      has_ones = true;
      continue;
    }
    std::string known;
    for (const Extent& extent : argument.shape) {
      const auto symbol = symbols.find(extent.symbol);
      if (symbol != symbols.end()) known += fmt::format(", {} = {}", symbol->first, symbol->second);
    }
    return bad(fmt::format("{}: expected shape {}{}, found {}", argument.name, expected_shape(argument),
                           known, format_shape(array.shape)),
               "the shape follows from the spec, and counts from the first array or --set");
  }
  return symbols;
}

std::vector<std::byte> default_args(const KernelSpec& spec) {
  return std::visit(
      []<class Spec>(const Spec&) {
        const typename Spec::Args args{};
        std::vector<std::byte> bytes(sizeof args);
        std::memcpy(bytes.data(), &args, sizeof args);
        return bytes;
      },
      spec);
}

}  // namespace

Result<LaunchArguments> LaunchArguments::make(const KernelSpec& spec, const GivenArguments& given) {
  const codegen::Op& op = codegen::op_of(spec);
  std::vector<Argument> arguments = op.arguments(spec);
  LATHE_CHECK(check_names(arguments, given));
  std::erase_if(arguments, [&](const Argument& argument) { return is_left_out(argument, given); });
  LaunchArguments launch;
  LATHE_TRY(const Symbols symbols, derive_symbols(arguments, given, launch.has_unit_extents_));
  launch.args_ = default_args(spec);
  LATHE_CHECK(store_scalars(arguments, given, launch.args_));
  for (const Argument& argument : arguments) {
    if (const auto symbol = symbols.find(argument.name); symbol != symbols.end()) {
      store(launch.args_, argument.offset, static_cast<Index>(symbol->second));
    }
    if (argument.kind == ArgumentKind::scalar) continue;
    if (argument.kind == ArgumentKind::workspace) {
      // How much it takes is known when there is a kernel; until then, as much as could be.
      store(launch.args_, argument.offset, std::uint64_t{1} << 60);
      store(launch.args_, argument.offset + sizeof(void*), std::numeric_limits<Index>::max());
      launch.workspace_offset_ = argument.offset;
      continue;
    }
    LaunchTensor tensor{.argument = argument, .shape = {}, .strides = {}};
    for (const Extent& extent : argument.shape) {
      const auto symbol = symbols.find(extent.symbol);
      if (!extent.symbol.empty() && symbol == symbols.end()) {
        return bad(fmt::format("{} is not known", extent.symbol),
                   fmt::format("add --set {}=N", extent.symbol));
      }
      tensor.shape.push_back(extent.constant + (extent.symbol.empty() ? 0 : symbol->second));
    }
    if (is_given(argument)) {
      auto elements = to_elements(given.inputs.at(std::string(argument.name)), argument.dtype);
      if (!elements) {
        elements.error().message = fmt::format("{}: {}", argument.name, elements.error().message);
        return std::move(elements).error();
      }
      tensor.elements = *std::move(elements);
    }
    // prepare() wants pointers that do not overlap; these are never followed.
    store(launch.args_, argument.offset, (launch.tensors_.size() + 1) << 44);
    launch.tensors_.push_back(std::move(tensor));
  }
  // Fills in the strides and checks all that a launch would check.
  const std::array<codegen::EntryPoint, codegen::kMaxEntries> any_entries{};
  LATHE_TRY([[maybe_unused]] const codegen::Grids grids,
            op.prepare(spec, codegen::LaunchSite{any_entries}, launch.args_));
  for (LaunchTensor& tensor : launch.tensors_) tensor.strides = strides_of(tensor, arguments, launch.args_);
  return launch;
}

Result<void> LaunchArguments::upload(Runtime& runtime, const Kernel& kernel) {
  for (LaunchTensor& tensor : tensors_) {
    LATHE_CHECK(tensor.upload(runtime));
    store(args_, tensor.argument.offset, tensor.buffer.data());
  }
  if (!workspace_offset_) return {};
  LATHE_TRY(const std::size_t bytes, kernel.workspace_bytes_for(args_.data(), args_.size()));
  LATHE_TRY(workspace_, runtime.allocate(bytes));
  const std::vector<std::byte> poison(bytes, std::byte{0xFF});
  LATHE_CHECK(runtime.copy_to_device(workspace_.data(), poison.data(), bytes, Stream{}));
  store(args_, *workspace_offset_, workspace_.data());
  store(args_, *workspace_offset_ + sizeof(void*), static_cast<Index>(bytes));
  return {};
}

Result<NpyArray> LaunchArguments::download(Runtime& runtime, const std::string& name) const {
  const auto found = std::find_if(tensors_.begin(), tensors_.end(), [&](const LaunchTensor& tensor) {
    return is_result(tensor.argument) && tensor.argument.name == name;
  });
  if (found == tensors_.end()) return unknown_name("output", name, output_names());
  LATHE_TRY(std::vector<std::byte> elements, found->download(runtime));
  std::vector<std::int64_t> shape;
  for (std::size_t i = 0; i < found->shape.size(); ++i) {
    const bool is_there = has_unit_extents_ || !may_be_left_out(found->argument.shape, i);
    if (is_there) shape.push_back(found->shape[i]);
  }
  return from_elements(found->argument.dtype, std::move(shape), std::move(elements));
}

std::vector<std::string_view> LaunchArguments::output_names() const {
  std::vector<std::string_view> names;
  for (const LaunchTensor& tensor : tensors_) {
    if (is_result(tensor.argument)) names.push_back(tensor.argument.name);
  }
  return names;
}

Result<void> LaunchArguments::check_output(const std::string& name) const {
  const auto names = output_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) return unknown_name("output", name, names);
  return {};
}

}  // namespace lathe::tools
