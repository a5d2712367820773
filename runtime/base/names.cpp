// Names of the small public enums.
#include <array>
#include <utility>

#include <lathe/dtype.h>
#include <lathe/emulator.h>
#include <lathe/options.h>
#include <lathe/target.h>

namespace lathe {

namespace {
constexpr std::array<std::pair<std::string_view, DType>, 8> kDTypes{{{"f32", f32},
                                                                     {"f16", f16},
                                                                     {"bf16", bf16},
                                                                     {"e4m3", e4m3},
                                                                     {"e5m2", e5m2},
                                                                     {"i32", i32},
                                                                     {"i64", i64},
                                                                     {"u8", u8}}};
constexpr std::array<std::pair<std::string_view, DType>, 8> kLongNames{{{"float32", f32},
                                                                        {"float16", f16},
                                                                        {"bfloat16", bf16},
                                                                        {"float8_e4m3", e4m3},
                                                                        {"float8_e5m2", e5m2},
                                                                        {"int32", i32},
                                                                        {"int64", i64},
                                                                        {"uint8", u8}}};
}  // namespace

std::string_view name_of(DType dtype) {
  for (const auto& [name, value] : kDTypes) {
    if (value == dtype) return name;
  }
  return "unknown dtype";
}

std::optional<DType> parse_dtype(std::string_view name) {
  for (const auto& table : {kDTypes, kLongNames}) {
    for (const auto& [known, value] : table) {
      if (known == name) return value;
    }
  }
  return std::nullopt;
}

std::string_view name_of(EmulatorCheck check) {
  switch (check) {
    case EmulatorCheck::bounds:
      return "bounds";
    case EmulatorCheck::values:
      return "values";
    case EmulatorCheck::races:
      return "races";
  }
  return "unknown";
}

std::string_view name_of(Backend backend) {
  switch (backend) {
    case Backend::cuda:
      return "cuda";
    case Backend::cpu:
      return "cpu";
    case Backend::emulate:
      return "emulate";
  }
  return "unknown backend";
}

std::string_view name_of(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::memory_hit:
      return "memory_hit";
    case Event::Kind::disk_hit:
      return "disk_hit";
    case Event::Kind::miss:
      return "miss";
    case Event::Kind::compiled:
      return "compiled";
    case Event::Kind::published:
      return "published";
    case Event::Kind::loaded:
      return "loaded";
    case Event::Kind::warning:
      return "warning";
  }
  return "unknown event";
}

}  // namespace lathe
