#include "codegen/ops/attention_hooks.h"

#include "codegen/template_library.h"
#include "tests/support/catch.h"

using lathe::AttentionHooks;
using namespace lathe::codegen;

TEST_CASE("hooks become functions, and those left out do nothing") {
  CHECK(!has_hooks({}));
  const AttentionHooks hooks{.logits = "return 2 * logit;  // twice"};
  CHECK(has_hooks(hooks));
  const SourceFile header = attention_hooks_header(hooks);
  CHECK(header.name == "user/attention_hooks.h");
  CHECK(header.text.find("inline float logits_hook(float logit, const AttentionPlace& at, const void* data) "
                         "{\nreturn 2 * logit;  // twice\n}\n") != std::string::npos);
  CHECK(header.text.find("inline bool mask_hook(const AttentionPlace& at, const void* data) {\nreturn "
                         "true;\n}\n") != std::string::npos);
}

TEST_CASE("the sample of hooks has the functions that rendering writes") {
  const TemplateLibrary library = TemplateLibrary::embedded();
  const SourceFile* sample = library.find("user/attention_hooks.h");
  REQUIRE(sample != nullptr);
  const std::string written = attention_hooks_header({}).text;
  for (const char* name : {"logits_hook(", "mask_hook(", "query_hook(", "key_hook(", "output_hook("}) {
    const auto head = [&](const std::string& text) {
      const std::size_t begin = text.find(name);
      return begin == std::string::npos ? "" : text.substr(begin, text.find('{', begin) - begin);
    };
    CHECK(!head(written).empty());
    CHECK(head(sample->text) == head(written));
  }
}
