#include "codegen/cuda_arch.h"

#include <charconv>

namespace lathe::codegen {

namespace {

constexpr unsigned kKiB = 1024;

constexpr CudaArch kArchs[] = {
    {"sm_80", 163 * kKiB, 1, false},  {"sm_86", 99 * kKiB, 1, false},  {"sm_87", 163 * kKiB, 1, false},
    {"sm_88", 99 * kKiB, 1, false},   {"sm_89", 99 * kKiB, 1, true},   {"sm_90", 227 * kKiB, 8, true},
    {"sm_90a", 227 * kKiB, 8, true},  {"sm_100", 227 * kKiB, 8, true}, {"sm_100f", 227 * kKiB, 8, true},
    {"sm_100a", 227 * kKiB, 8, true}, {"sm_103", 227 * kKiB, 8, true}, {"sm_103f", 227 * kKiB, 8, true},
    {"sm_103a", 227 * kKiB, 8, true}, {"sm_110", 227 * kKiB, 8, true}, {"sm_110f", 227 * kKiB, 8, true},
    {"sm_110a", 227 * kKiB, 8, true}, {"sm_120", 99 * kKiB, 8, true},  {"sm_120f", 99 * kKiB, 8, true},
    {"sm_120a", 99 * kKiB, 8, true},  {"sm_121", 99 * kKiB, 8, true},  {"sm_121f", 99 * kKiB, 8, true},
    {"sm_121a", 99 * kKiB, 8, true},
};

}  // namespace

int CudaArch::number() const {
  int number = 0;
  std::from_chars(name.data() + 3, name.data() + name.size(), number);
  return number;
}

std::span<const CudaArch> cuda_archs() {
  return kArchs;
}

const CudaArch* find_cuda_arch(std::string_view name) {
  for (const CudaArch& arch : kArchs) {
    if (arch.name == name) return &arch;
  }
  return nullptr;
}

std::string cuda_arch_names() {
  std::string names;
  for (const CudaArch& arch : kArchs) {
    if (!names.empty()) names += ", ";
    names += arch.name;
  }
  return names;
}

}  // namespace lathe::codegen
