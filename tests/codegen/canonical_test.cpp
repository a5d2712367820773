#include "codegen/canonical.h"

#include <set>
#include <string>

#include "tests/codegen/spec_variations.h"
#include "tests/support/catch.h"

using lathe::Casting;
using lathe::KernelSpec;
using lathe::Residual;
using lathe::RmsNormSpec;
using lathe::codegen::canonical_text;
using lathe::codegen::hash_of;
using lathe::tests::variations_of;

TEST_CASE("the text of a spec names every field, those at their defaults too") {
  // These texts are part of every key: a change here makes all caches cold.
  CHECK(canonical_text(RmsNormSpec{.hidden_size = 4096}) ==
        "rms_norm hidden_size=4096 dtype=bf16 has_weight=true weight_dtype=default weight_offset=0 "
        "casting=gemma residual=none store_rstd=false heads=1 weight_per_head=false y_dtype=default "
        "y_scale=none "
        "round_to_dtype=false alignment=0");
  CHECK(canonical_text(RmsNormSpec{.hidden_size = 262143,
                                   .dtype = lathe::f16,
                                   .has_weight = false,
                                   .weight_dtype = lathe::f32,
                                   .weight_offset = 0.1,
                                   .casting = Casting::none,
                                   .residual = Residual::norm_then_round,
                                   .store_rstd = true,
                                   .heads = 64,
                                   .alignment = 2}) ==
        "rms_norm hidden_size=262143 dtype=f16 has_weight=false weight_dtype=f32 weight_offset=0.1 "
        "casting=none residual=norm_then_round store_rstd=true heads=64 weight_per_head=false "
        "y_dtype=default y_scale=none "
        "round_to_dtype=false alignment=2");
}

TEST_CASE("a number is written as briefly as it can be read back") {
  const auto offset_text = [](double offset) {
    const std::string text = canonical_text(RmsNormSpec{.hidden_size = 1, .weight_offset = offset});
    const std::size_t begin = text.find("weight_offset=") + 14;
    return text.substr(begin, text.find(' ', begin) - begin);
  };
  CHECK(offset_text(1.0) == "1");
  CHECK(offset_text(-0.5) == "-0.5");
  CHECK(offset_text(1e-7) == "1e-07");
  for (const double value :
       {1.0 / 3.0, 2.2250738585072014e-308, 1.7976931348623157e308, 0.30000000000000004}) {
    CHECK(std::stod(offset_text(value)) == value);
  }
}

TEST_CASE("changing any field changes the text and the hash") {
  const RmsNormSpec specs[] = {
      {.hidden_size = 4096},
      {.hidden_size = 17, .dtype = lathe::f32, .weight_dtype = lathe::bf16, .weight_offset = 1, .heads = 8}};
  for (const RmsNormSpec& spec : specs) {
    std::set<std::string> texts{canonical_text(spec)};
    std::set<std::size_t> hashes{hash_of(spec)};
    for (const auto& [field, changed] : variations_of(spec)) {
      INFO(field);
      CHECK(texts.insert(canonical_text(changed)).second);
      CHECK(hashes.insert(hash_of(changed)).second);
    }
  }
}

TEST_CASE("equal specs hash alike, though their bytes may differ") {
  RmsNormSpec plus{.hidden_size = 8, .weight_offset = 0.0};
  RmsNormSpec minus{.hidden_size = 8, .weight_offset = -0.0};
  REQUIRE(plus == minus);
  CHECK(hash_of(plus) == hash_of(minus));
  CHECK(hash_of(plus) == hash_of(RmsNormSpec{.hidden_size = 8}));
}

TEST_CASE("hashes of neighbouring specs do not collide") {
  std::set<std::size_t> hashes;
  int specs = 0;
  for (std::int64_t hidden = 1; hidden <= 2048; ++hidden) {
    for (const std::int64_t heads : {1, 2, 8}) {
      hashes.insert(hash_of(RmsNormSpec{.hidden_size = hidden, .heads = heads}));
      ++specs;
    }
  }
  CHECK(hashes.size() == static_cast<std::size_t>(specs));
}

TEST_CASE("a value that is none of its enum has a text, not undefined behaviour") {
  const auto text = canonical_text(RmsNormSpec{.hidden_size = 1, .casting = static_cast<Casting>(9)});
  CHECK(text.find("casting=?") != std::string::npos);
}
