#include "runtime/kernel_table.h"

#include <thread>

#include "runtime/kernel_state.h"
#include "tests/support/catch.h"

using lathe::Error;
using lathe::Kernel;
using lathe::KernelSpec;
using lathe::RmsNormSpec;
using lathe::runtime::KernelTable;

namespace {

Kernel kernel_named(std::string key) {
  auto state = std::make_shared<Kernel::State>();
  state->key = std::move(key);
  return Kernel(std::move(state));
}

std::string key_in(const KernelTable& table, const KernelSpec& spec) {
  const auto known = table.find(spec);
  if (!known) return "absent";
  if (const Kernel* kernel = std::get_if<Kernel>(&*known)) return kernel->key();
  return std::get<std::shared_ptr<const Error>>(*known)->message;
}

}  // namespace

TEST_CASE("kernels and known failures are found by spec") {
  KernelTable table;
  CHECK(key_in(table, RmsNormSpec{.hidden_size = 1}) == "absent");
  table.insert(RmsNormSpec{.hidden_size = 1}, kernel_named("one"));
  table.insert(RmsNormSpec{.hidden_size = 2},
               std::make_shared<const Error>(Error{.message = "does not compile"}));
  CHECK(key_in(table, RmsNormSpec{.hidden_size = 1}) == "one");
  CHECK(key_in(table, RmsNormSpec{.hidden_size = 2}) == "does not compile");
  CHECK(key_in(table, RmsNormSpec{.hidden_size = 1, .dtype = lathe::f16}) == "absent");
}

TEST_CASE("the first kernel of a spec stays") {
  KernelTable table;
  table.insert(RmsNormSpec{.hidden_size = 1}, kernel_named("first"));
  table.insert(RmsNormSpec{.hidden_size = 1}, kernel_named("second"));
  CHECK(key_in(table, RmsNormSpec{.hidden_size = 1}) == "first");
}

TEST_CASE("threads read while others write") {
  KernelTable table;
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::int64_t i = 1; i <= 500; ++i) {
        const RmsNormSpec spec{.hidden_size = i};
        table.insert(spec, kernel_named(std::to_string(i)));
        if (key_in(table, spec) != std::to_string(i)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}
