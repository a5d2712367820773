#include "tools/lathe/table.h"

#include "tests/support/catch.h"

using namespace lathe::tools;

TEST_CASE("Columns are as wide as their widest cell, numbers to the right") {
  Table table({{"name"}, {"ms", true}, {"note"}});
  table.add({"a", "1.5", "x"});
  table.add({"longer", "12.25", ""});
  CHECK(table.text() ==
        "name       ms  note\n"
        "-------------------\n"
        "a         1.5  x\n"
        "longer  12.25");
}

TEST_CASE("A table without rows is empty") {
  CHECK(Table({{"a"}}).empty());
}

TEST_CASE("Sizes are told in the unit that fits") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(1023) == "1023 B");
  CHECK(format_bytes(1536) == "1.5 KiB");
  CHECK(format_bytes(3ull << 30) == "3.0 GiB");
  CHECK(format_bytes(5000ull << 40) == "5000.0 TiB");
}
