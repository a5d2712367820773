#include "codegen/ops/kv_check.h"
#include "tests/codegen/kv_specs.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

/// The complaint about one segment in a gather of rows of 256 bytes.
std::string of_segment(const KvSegment& segment) {
  KvGatherSpec spec = plain_gather();
  spec.segments = {segment};
  return complaint(spec);
}

}  // namespace

TEST_CASE("kv segments: copies count bytes, whatever their elements") {
  const KvGatherSpec implied = normalized(plain_gather());
  REQUIRE(implied.segments.size() == 1);
  CHECK(implied.segments[0] == KvSegment{.count = 256, .src_dtype = u8, .dst_dtype = u8});
  KvGatherSpec spec = plain_gather();
  spec.segments = {{.count = 64, .src_dtype = f32, .dst_dtype = f32}};
  CHECK(normalized(spec) == implied);
  CHECK(normalized(implied) == implied);
  spec.segments = {{.src_offset = 3, .dst_offset = 5, .count = 7, .src_dtype = u8, .dst_dtype = u8}};
  CHECK(normalized(spec).segments[0].count == 7);
}

TEST_CASE("kv segments: what is converted keeps its types, and defaults are resolved") {
  KvGatherSpec spec = plain_gather();
  spec.dst[0].dtype = f32;
  spec.segments = {{}};
  const KvSegment segment = normalized(spec).segments[0];
  CHECK(segment.src_dtype == bf16);
  CHECK(segment.dst_dtype == f32);
  CHECK(segment.count == 128);
  spec.dst[0].dtype = e4m3;
  spec.dst[0].content = 160;
  spec.segments[0].dst_scale = {.kind = KvScaleKind::stored, .offset = 128};
  CHECK(normalized(spec).segments[0].dst_scale.group == 128);
  CHECK(normalized(normalized(spec)) == normalized(spec));
}

TEST_CASE("kv segments: bytes that are not there, or written twice") {
  CHECK(of_segment({.src_view = 1}) == "segments[0]: src_view is 1, but src has 1 view");
  CHECK(of_segment({.plane = 2}) == "segments[0]: plane is 2, but 2 planes are moved");
  CHECK(of_segment({.src_offset = 256}) ==
        "segments[0]: there is nothing to move: src_offset is at the row's end");
  CHECK(of_segment({.src_offset = 2, .count = 128}) ==
        "segments[0]: it takes bytes 2 to 258 of the src row, which has 256");
  CHECK(of_segment({.dst_offset = 4, .count = 127}) ==
        "segments[0]: it takes bytes 4 to 258 of the dst row, which has 256");
  KvGatherSpec spec = plain_gather();
  spec.segments = {{.count = 64}, {.plane = 1, .dst_offset = 100, .count = 4}};
  CHECK(complaint(spec) == "segments[0] and segments[1] both write bytes 100 to 108 of dst[0]'s rows");
  spec.segments[0].plane = 0;
  CHECK(complaint(spec) == "nothing");
  spec.segments.assign(9, {});
  CHECK(complaint(spec).find("segments") == 0);
  spec = plain_gather();
  spec.dst[0].content = 64;
  CHECK(complaint(spec) == "rows have 256 bytes in src[0] and 128 in dst[0], and there are no segments");
}

TEST_CASE("kv segments: conversions and scales that do not fit") {
  CHECK(of_segment({.dst_dtype = i32}) ==
        "segments[0]: the dst dtype is i32, which is only copied, and this segment converts");
  CHECK(
      of_segment({.src_offset = 1, .count = 8, .dst_dtype = f16}) ==
      "segments[0]: it begins at byte 1 of src rows with an alignment of 16, but its elements have 2 bytes");
  KvSegment segment{.dst_dtype = e4m3};
  segment.dst_scale = {.kind = KvScaleKind::none, .group = 16};
  CHECK(of_segment(segment) ==
        "segments[0]: dst_scale: kind is none, and a field that it does not use is set");
  segment.dst_scale = {.kind = KvScaleKind::table, .axes = "L C"};
  CHECK(of_segment(segment) == "segments[0]: dst_scale: axes \"L C\" are not L, P and H, each at most once");
  segment.dst_scale = {.kind = KvScaleKind::stored, .group = 48, .offset = 128};
  CHECK(of_segment(segment) == "segments[0]: dst_scale: group is 48, allowed are 0, 16, 32, 64, 128");
  segment.dst_scale = {.kind = KvScaleKind::stored, .group = 128, .view = 1};
  CHECK(of_segment(segment) == "segments[0]: dst_scale: view is 1, but dst has 1 view");
  segment.dst_scale = {.kind = KvScaleKind::stored, .group = 32, .offset = 244};
  CHECK(of_segment(segment) == "segments[0]: dst_scale takes bytes 244 to 260 of the dst row, which has 256");
  segment.dst_scale = {.kind = KvScaleKind::stored, .group = 32, .offset = 130};
  CHECK(of_segment(segment) ==
        "segments[0]: dst_scale begins at byte 130 of dst rows with an alignment of 16, but its elements "
        "have 4 "
        "bytes");
  segment.dst_dtype = f16;
  segment.dst_scale.offset = 128;
  CHECK(of_segment(segment) ==
        "segments[0]: dst_scale is written from the largest magnitude, but dst_dtype is f16");
}

TEST_CASE("kv segments: rotations that do not fit") {
  KvGatherSpec spec = plain_gather();
  spec.rotation.dim = 64;
  CHECK(complaint(spec) == "there is a rotation, but no segment is rotated");
  const auto of_rotated = [](KvSegment segment, std::int64_t dim) {
    KvGatherSpec rotated = plain_gather();
    rotated.segments = {segment};
    rotated.rotation.dim = dim;
    return complaint(rotated);
  };
  KvSegment segment{.rotate = KvRotate::delta};
  CHECK(of_rotated(segment, 128) == "nothing");
  CHECK(of_rotated(segment, 0) == "segments[0]: it is rotated, but dim of the spec's rotation is 0");
  CHECK(of_rotated(segment, 63) == "segments[0]: it is rotated, but dim of the spec's rotation is 63");
  segment.rotate_offset = 96;
  CHECK(of_rotated(segment, 64) == "segments[0]: elements 96 to 160 are rotated, but it has 128");
  CHECK(of_segment({.rotate_offset = 4}) == "segments[0]: rotate_offset is 4, but rotate is none");
  segment = {.count = 64, .dst_dtype = e4m3, .rotate = KvRotate::delta};
  segment.dst_scale = {.kind = KvScaleKind::stored, .group = 32, .offset = 128};
  CHECK(of_rotated(segment, 64) ==
        "segments[0]: dst_scale: groups of 32 elements, but rotated ones share one scale");
  KvGatherSpec wide = plain_gather();
  wide.src[0].content = wide.dst[0].content = 8194;
  wide.segments = {{.rotate = KvRotate::forward}};
  wide.rotation.dim = 64;
  CHECK(complaint(wide) == "segments[0]: 8194 elements with a rotation, allowed are 8192");
}

TEST_CASE("kv segments: a rotated segment is a conversion, even from a type to itself") {
  KvGatherSpec spec = plain_gather();
  spec.segments = {{.rotate = KvRotate::delta}};
  spec.rotation.dim = 128;
  const KvGatherSpec result = normalized(spec);
  CHECK(result.segments[0].count == 128);
  CHECK(result.segments[0].src_dtype == bf16);
  CHECK(normalized(result) == result);
}
