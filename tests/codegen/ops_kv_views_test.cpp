#include "codegen/ops/kv_check.h"
#include "tests/codegen/kv_specs.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

/// The complaint about the source's view after a change.
template <class Change>
std::string of_view(Change change) {
  KvGatherSpec spec = plain_gather();
  change(spec.src[0]);
  return complaint(spec);
}

}  // namespace

TEST_CASE("kv views: axes are written with blanks, strides one per axis") {
  KvGatherSpec spec = plain_gather();
  spec.src[0].axes = "BPNHC";
  const KvGatherSpec result = normalized(spec);
  CHECK(result.src[0].axes == "B P N H C");
  CHECK(result.src[0].strides == std::vector<std::int64_t>{0, 0, 0, 0, 0});
  CHECK(result == normalized(result));
  CHECK(result == normalized(plain_gather()));
}

TEST_CASE("kv views: the alignment is what the strides allow") {
  const auto alignment = [](KvView view) {
    KvGatherSpec spec{.src = {view}, .dst = {view}};
    return normalized(spec).src[0].alignment;
  };
  CHECK(alignment({.axes = "N C", .content = 128}) == 16);
  CHECK(alignment({.axes = "N C", .content = 1}) == 2);
  CHECK(alignment({.axes = "N C", .dtype = u8, .content = 132}) == 4);
  CHECK(alignment({.axes = "N C", .dtype = u8, .content = 576}) == 16);
  CHECK(alignment({.axes = "N C", .dtype = u8, .content = 1}) == 1);
  CHECK(alignment({.axes = "N C", .content = 128, .alignment = 2}) == 2);
  CHECK(alignment({.axes = "B N C", .strides = {1000, 0, 0}, .content = 16}) == 8);
  CHECK(alignment({.axes = "H C N", .heads = 2, .content = 16}) == 2);
}

TEST_CASE("kv views: axes that do not make a view") {
  const auto of_axes = [](const char* axes) { return of_view([&](KvView& view) { view.axes = axes; }); };
  CHECK(of_axes("B P N H Q") == "src[0]: axes \"B P N H Q\": 'Q' is no axis");
  CHECK(of_axes("B P N H N C") == "src[0]: axes \"B P N H N C\": the axis slot stands twice");
  CHECK(of_axes("B P N H") == "src[0]: axes \"B P N H\": the content is C, or Cx and x");
  CHECK(of_axes("B P N H C x") == "src[0]: axes \"B P N H C x\": Cx and x go together");
  CHECK(of_axes("B P H Cx x N") == "src[0]: axes \"B P H Cx x N\": x is not innermost");
  CHECK(of_axes("L B P N H C") ==
        "src[0]: the layer is an axis of \"L B P N H C\", and base is layer, which has a pointer for each");
  CHECK(of_axes("B P N C") == "src[0]: heads is 8, but axes \"B P N C\" have no head");
  CHECK(of_axes("P N H C") == "src[0]: block_size is 16, but axes \"P N H C\" have no B: N counts all slots");
  CHECK(of_view([](KvView& view) {
          view.axes = "P H C";
          view.block_size = 1;
        }) == "src[0]: axes \"P H C\" have neither B nor N: all tokens would be one");
  CHECK(of_view([](KvView& view) { view.base = KvBase::single; }) ==
        "src[0]: layers is 2, but axes \"B P N H C\" have no layer");
}

TEST_CASE("kv views: pieces, strides, offsets and alignments that do not fit") {
  CHECK(of_view([](KvView& view) { view.split = 8; }) ==
        "src[0]: split is 8, but axes \"B P N H C\" have no x");
  CHECK(of_view([](KvView& view) {
          view.axes = "B P H Cx N x";
          view.split = 7;
        }) == "src[0]: axes \"B P H Cx N x\" split the content of 128 elements into pieces of 7");
  CHECK(of_view([](KvView& view) { view.strides = {0, 0}; }) ==
        "src[0]: 2 strides for the 5 axes of \"B P N H C\"");
  CHECK(of_view([](KvView& view) { view.strides = {0, 0, 0, 0, 4}; }) ==
        "src[0]: the stride of content is 4, it must be tight: 2 bytes");
  CHECK(of_view([](KvView& view) { view.strides = {0, 0, 0, -2, 0}; }) ==
        "src[0].strides[3] is -2, allowed are -1 to 70368744177664");
  CHECK(of_view([](KvView& view) {
          view.strides = {0, 0, 0, 264, 0};
          view.alignment = 16;
        }) == "src[0]: a stride is 264 bytes, not a multiple of alignment, which is 16");
  CHECK(of_view([](KvView& view) { view.alignment = 1; }) ==
        "src[0]: alignment is 1 bytes, less than an element of bf16, which has 2");
  CHECK(of_view([](KvView& view) { view.offset = 3; }) ==
        "src[0]: offset is 3 bytes, not a multiple of an element of bf16");
}

TEST_CASE("kv views: tables, chunks and shared bases that do not fit") {
  CHECK(of_view([](KvView& view) { view.short_tail = true; }) ==
        "src[0]: short_tail needs a base of chunks, tight strides, and heads and content inside N; base is "
        "layer "
        "and axes are \"B P N H C\"");
  CHECK(of_view([](KvView& view) { view.pointers = 1; }) ==
        "src[0]: pointers is 1, but a base of layer has 2 at least");
  KvGatherSpec spec = plain_gather();
  spec.dst[0].pointers = 3;
  CHECK(complaint(spec) == "dst[0]: pointers is 3, but base is single, which has no table");
  spec = plain_gather();
  spec.src[0].base = KvBase::shared;
  CHECK(complaint(spec) == "src[0]: base is shared, but it is the first view");
  spec = plain_gather();
  spec.src.clear();
  CHECK(complaint(spec) == "src has 0 views, allowed are 1 to 3");
  spec = plain_gather();
  spec.src[0].pointers = 2;
  spec.src.push_back(spec.src[0]);
  CHECK(complaint(spec) == "src: 2 views have pointers, only one table per side travels with the arguments");
}
