// PeakMemory: how much memory something takes, as the system counts it.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>

#include <malloc.h>

namespace lathe::tests {

/// Watches from its construction on: Linux's count of pages that this process has touched. Makes the C
/// library give back what it keeps, and take what is asked for in large pieces from the system, so that none
/// of it goes unseen.
class PeakMemory {
 public:
  PeakMemory() {
    mallopt(M_MMAP_THRESHOLD, 1 << 16);
    malloc_trim(0);
    std::ofstream reset("/proc/self/clear_refs");  // 5: the peak is what there is now
    is_watching_ = (reset << 5 << std::flush).good();
    before_ = bytes("VmRSS:");
  }

  /// False: this system does not let a process begin anew.
  bool is_watching() const { return is_watching_; }
  /// The peak since then above what there was then, in bytes.
  std::size_t growth() const {
    const std::size_t peak = bytes("VmHWM:");
    return peak > before_ ? peak - before_ : 0;
  }

 private:
  static std::size_t bytes(const std::string& line) {
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word && word != line) {
    }
    std::size_t kib = 0;
    status >> kib;
    return kib * 1024;
  }

  bool is_watching_ = false;
  std::size_t before_ = 0;
};

}  // namespace lathe::tests
