// A program as somebody else would write it: public headers only.
#include <lathe/c.h>
#include <lathe/lathe.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

int main() {
  if (std::string(lathe_version()) != LATHE_VERSION) return 1;
  lathe::Options options;
  options.disk_cache = false;
  auto runtime = lathe::Runtime::open(options);
  if (!runtime) {
    std::puts(runtime.error().text().c_str());
    return 2;
  }
  if (!runtime->has_device() || runtime->target().backend != lathe::Backend::cpu) {
    std::puts("no CPU executor in this build: opened and closed");
    return 0;
  }
  auto norm = runtime->get(lathe::RmsNormSpec{.hidden_size = 8, .dtype = lathe::f32, .has_weight = false});
  if (!norm) {
    std::puts(norm.error().text().c_str());
    return 3;
  }
  const lathe::Buffer x = runtime->allocate(8 * sizeof(float)).value();
  auto* values = static_cast<float*>(x.data());
  for (int i = 0; i < 8; ++i) values[i] = 5.0f;
  norm->launch({.x = values, .y = values, .rows = 1, .epsilon = 0.0f}, lathe::Stream{}).value();
  runtime->synchronize({}).value();
  std::printf("%s: %g\n", runtime->target().text().c_str(), static_cast<double>(values[7]));
  return std::abs(values[7] - 1.0f) < 1e-6f ? 0 : 4;
}
