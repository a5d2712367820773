// Fields that are text, lists and structs: checked, as text, as hashes, as JSON.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "codegen/field_check.h"
#include "codegen/field_json.h"
#include "codegen/field_text.h"
#include "tests/codegen/spec_variations.h"
#include "tests/support/catch.h"

using namespace lathe::codegen;

namespace {

struct Part {
  std::string axes;
  std::int64_t length = 1;
  bool operator==(const Part&) const = default;
};

struct Whole {
  std::string text = "none";
  std::vector<std::int64_t> sections{};
  std::vector<double> factors{};
  Part part{};
  std::optional<Part> other{};
  std::vector<Part> parts{};
  bool operator==(const Whole&) const = default;
};

}  // namespace

template <>
struct lathe::codegen::SpecFields<Part> {
  static constexpr std::tuple fields{
      Field<Part, std::string>{"axes", &Part::axes, {4, "letters"}, "", "", true},
      Field<Part, std::int64_t>{"length", &Part::length, {1, 8}, "", ""}};
};
template <>
struct lathe::codegen::SpecFields<Whole> {
  static constexpr std::string_view op = "whole";
  static constexpr std::tuple fields{
      Field<Whole, std::string>{"text", &Whole::text, {100, "anything"}, "", ""},
      Field<Whole, std::vector<std::int64_t>>{"sections", &Whole::sections, {3, {0, 9}}, "", ""},
      Field<Whole, std::vector<double>>{"factors", &Whole::factors, {2, {0, 1}}, "", ""},
      Field<Whole, Part>{"part", &Whole::part, {}, "", ""},
      Field<Whole, std::optional<Part>>{"other", &Whole::other, {}, "", ""},
      Field<Whole, std::vector<Part>>{"parts", &Whole::parts, {2}, "", ""}};
};

static_assert(kListsEveryMember<Part> && kListsEveryMember<Whole>);

namespace {

std::string text_of_whole(const Whole& whole) {
  std::string text;
  field_text::append_fields(text, whole, ' ');
  return text;
}

std::string problem(const Whole& whole) {
  const auto checked = check_fields(whole);
  return checked ? "" : checked.error().message;
}

lathe::Result<Whole> read(const std::string& text) {
  return field_json::read_struct<Whole>({}, nlohmann::json::parse(text));
}

std::string refusal(const std::string& text) {
  const auto whole = read(text);
  REQUIRE(!whole);
  return whole.error().message;
}

Whole sample() {
  return {.text = "a \"b\"\n=",
          .sections = {1, 2},
          .factors = {0.5},
          .part = {"BN", 2},
          .other = Part{"C", 3},
          .parts = {{"x", 4}, {"y", 5}}};
}

}  // namespace

TEST_CASE("canonical text is one word per field, whatever stands in it") {
  CHECK(text_of_whole({}) ==
        R"(text="none" sections=[] factors=[] part={axes="",length=1} other=default parts=[])");
  CHECK(text_of_whole(sample()) ==
        R"(text="a\x20\x22b\x22\x0a=" sections=[1,2] factors=[0.5] part={axes="BN",length=2} )"
        R"(other={axes="C",length=3} parts=[{axes="x",length=4},{axes="y",length=5}])");
  CHECK(text_of_whole({.text = "\\x20\x7f\xff"}).find(R"(text="\x5cx20\x7f\xff")") == 0);
}

TEST_CASE("hashes tell apart what differs") {
  const std::size_t hash = field_text::bits_of(sample());
  CHECK(hash == field_text::bits_of(sample()));
  for_each_field<Whole>([&](const auto& field) {
    INFO(field.name);
    Whole changed = sample();
    changed.*field.member = lathe::tests::other_value(changed.*field.member);
    CHECK(field_text::bits_of(changed) != hash);
    CHECK(text_of_whole(changed) != text_of_whole(sample()));
  });
  CHECK(field_text::bits_of(Whole{.sections = {0}}) != field_text::bits_of(Whole{}));
}

TEST_CASE("what is out of range within a field is named by its place") {
  CHECK(problem(sample()).empty());
  CHECK(problem({.text = std::string(101, 'x')}) ==
        "whole: text is a text of 101, allowed are at most 100 characters");
  CHECK(problem({.sections = {1, 2, 10}}) == "whole: sections[2] is 10, allowed are 0 to 9");
  CHECK(problem({.sections = {1, 2, 3, 4}}) == "whole: sections is a list of 4, allowed are at most 3");
  CHECK(problem({.factors = {1, 1.5}}) == "whole: factors[1] is 1.5, allowed are 0 to 1");
  CHECK(problem({.part = {"BNHCx", 1}}) ==
        "whole: part.axes is a text of 5, allowed are at most 4 characters");
  CHECK(problem({.other = Part{"B", 0}}) == "whole: other.length is 0, allowed are 1 to 8");
  CHECK(problem({.parts = {{"B", 1}, {"B", 9}}}) == "whole: parts[1].length is 9, allowed are 1 to 8");
}

TEST_CASE("JSON holds text as strings, lists as arrays, structs as objects") {
  const auto json = field_json::write(sample());
  CHECK(json["parts"][1]["length"] == 5);
  CHECK(read(json.dump()).value() == sample());
  CHECK(read("{}").value() == Whole{});
  CHECK(read(R"({"other": null})").value() == Whole{});
  CHECK(refusal(R"({"text": 1})") == "text is 1, expected a text: anything");
  CHECK(refusal(R"({"sections": 1})") == "sections is 1, expected an array");
  CHECK(refusal(R"({"sections": [1, "2"]})") == "sections[1] is \"2\", expected an integer");
  CHECK(refusal(R"({"part": []})") == "part is an array, expected an object");
  CHECK(refusal(R"({"part": {"length": 2}})") == "part needs the field axes: ");
  CHECK(refusal(R"({"parts": [{"axes": "B", "lenth": 2}]})") ==
        "parts[0] has no field \"lenth\"; did you mean length?");
  CHECK(refusal(R"({"parts": [{"axes": "B", "length": 2.5}]})") ==
        "parts[0].length is 2.5, expected an integer of 64 bits, without point or exponent");
  CHECK(refusal(R"({"part": {"axes": "B", "op": "whole"}})").find("part has no field \"op\"") == 0);
}
