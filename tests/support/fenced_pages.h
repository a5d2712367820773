// FencedPages: host memory between two pages that may not be touched.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

#include "tests/support/catch.h"

namespace lathe::tests {

/// `bytes` that begin right behind a fence, or end right before one: any access beyond that side, a read
/// too, ends the program with a segmentation fault.
class FencedPages {
 public:
  enum class Side { begin, end };

  FencedPages(std::size_t bytes, Side side) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t inner = (bytes + page - 1) / page * page;
    mapped_bytes_ = inner + 2 * page;
    mapped_ = mmap(nullptr, mapped_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(mapped_ != MAP_FAILED);
    std::byte* first = static_cast<std::byte*>(mapped_) + page;
    REQUIRE(mprotect(first, inner, PROT_READ | PROT_WRITE) == 0);
    data_ = side == Side::begin ? first : first + inner - bytes;
  }
  FencedPages(const FencedPages&) = delete;
  FencedPages& operator=(const FencedPages&) = delete;
  ~FencedPages() { munmap(mapped_, mapped_bytes_); }

  std::byte* data() const { return data_; }

 private:
  void* mapped_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::byte* data_ = nullptr;
};

}  // namespace lathe::tests
