// The smallest useful program: normalise a few rows on the best device at hand.
#include <lathe/lathe.h>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
  constexpr lathe::Index kRows = 4, kHidden = 1024;
  try {
    auto runtime = lathe::Runtime::open({}).value();
    if (!runtime.has_device()) {
      std::puts("skipped: no device, and no CPU executor in this build");
      return 77;
    }
    // Compiled in milliseconds the first time, found in the cache ever after.
    const auto norm = runtime.get(lathe::RmsNormSpec{.hidden_size = kHidden, .dtype = lathe::f32}).value();

    std::vector<float> host(kRows * kHidden, 2.0f);
    const std::vector<float> ones(kHidden, 1.0f);
    const std::size_t bytes = host.size() * sizeof(float);
    const lathe::Buffer x = runtime.allocate(bytes).value();
    const lathe::Buffer y = runtime.allocate(bytes).value();
    const lathe::Buffer weight = runtime.allocate(kHidden * sizeof(float)).value();
    const lathe::Stream stream;
    runtime.copy_to_device(x.data(), host.data(), bytes, stream).value();
    runtime.copy_to_device(weight.data(), ones.data(), kHidden * sizeof(float), stream).value();

    norm.launch({.x = x.data(), .weight = weight.data(), .y = y.data(), .rows = kRows, .epsilon = 0.0f},
                stream)
        .value();

    runtime.copy_to_host(host.data(), y.data(), bytes, stream).value();
    std::printf("on %s: %g\n", runtime.target().text().c_str(), static_cast<double>(host[0]));
    return std::abs(host[0] - 1.0f) < 1e-6f ? 0 : 1;
  } catch (const lathe::BadResult& failure) {
    std::puts(failure.what());
    return 1;
  }
}
