#include "runtime/options_json.h"

#include <string>

#include "tests/support/catch.h"

using lathe::Mode;
using lathe::runtime::options_from_json;

TEST_CASE("every option has its name in JSON") {
  const auto options = options_from_json(R"({"target": "cpu:x86-64-v3", "device": 1, "cache_dir": "/c",
      "read_only_cache_dirs": "/a:/b", "disk_cache": false, "mode": "record", "record_file": "/r", "nvrtc_path": "/n",
      "template_dir": "/t", "lock_timeout_ms": 5, "compile_threads": 3})")
                           .value();
  CHECK(options.target->text() == "cpu:x86-64-v3");
  CHECK(options.device == 1);
  CHECK(options.cache_dir == "/c");
  CHECK(options.read_only_cache_dirs == "/a:/b");
  CHECK(options.disk_cache == false);
  CHECK(options.mode == Mode::record);
  CHECK(options.record_file == "/r");
  CHECK(options.nvrtc_path == "/n");
  CHECK(options.template_dir == "/t");
  CHECK(options.lock_timeout == std::chrono::milliseconds(5));
  CHECK(options.compile_threads == 3);
  CHECK_FALSE(options_from_json("{}").value().target.has_value());
}

TEST_CASE("options that cannot be meant are refused by name") {
  const auto message = [](const char* text) {
    const auto options = options_from_json(text);
    return options ? std::string("accepted") : options.error().message;
  };
  CHECK(message("") == "options: not a JSON object");
  CHECK(message("[1]") == "options: not a JSON object");
  CHECK(message(R"({"colour": 1})") == "options: \"colour\" is not an option");
  CHECK(message(R"({"device": "one"})") == "options: \"device\" is \"one\", which is of the wrong type");
  CHECK(message(R"({"mode": "fast"})") == "options: mode is \"fast\", expected compile, frozen or record");
  CHECK(message(R"({"target": "gpu"})").starts_with("target \"gpu\""));
}
