// The main function of every test program.

// Read by the sanitizers where they are.
extern "C" {
const char* __asan_default_options();
const char* __tsan_default_options();
const char* __tsan_default_suppressions();
}
// Tests ask for more memory than there is, and expect an error.
const char* __asan_default_options() {
  return "allocator_may_return_null=1";
}
const char* __tsan_default_options() {
  return "allocator_may_return_null=1";
}
// These order their threads in code that the thread sanitizer does not see.
const char* __tsan_default_suppressions() {
  return "race:libnvrtc.so\nrace:tbb::detail\n";
}

#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
int main(int argc, char* argv[]) {
  return Catch::Session().run(argc, argv);
}
#else
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
