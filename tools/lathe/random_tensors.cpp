#include "tools/lathe/random_tensors.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "runtime/base/try.h"
#include "tools/lathe/elements.h"

namespace lathe::tools {

std::vector<std::byte> random_elements(DType dtype, std::size_t count, unsigned seed, double deviation) {
  constexpr std::size_t kPeriod = 65537;
  const std::size_t width = size_of(dtype);
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, deviation);
  std::vector<std::byte> elements(count * width);
  const std::size_t made = std::min(count, kPeriod);
  for (std::size_t i = 0; i < made; ++i) store_element(dtype, normal(random), elements.data() + i * width);
  for (std::size_t at = made; at < count; at += kPeriod) {
    std::memcpy(elements.data() + at * width, elements.data(), std::min(kPeriod, count - at) * width);
  }
  return elements;
}

Result<Buffer> upload(Runtime& runtime, const std::vector<std::byte>& elements) {
  LATHE_TRY(Buffer buffer, runtime.allocate(elements.size()));
  LATHE_CHECK(runtime.copy_to_device(buffer.data(), elements.data(), elements.size(), Stream{}));
  return buffer;
}

}  // namespace lathe::tools
