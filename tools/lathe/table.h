// Table: rows of text in columns, for results that a person reads.
#pragma once

#include <string>
#include <vector>

namespace lathe::tools {

struct Column {
  std::string title;
  bool is_number = false;  ///< right-aligned
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// REQUIRES: as many cells as columns.
  void add(std::vector<std::string> cells);

  /// Title line, rule, rows; no trailing blanks; no newline after the last line.
  std::string text() const;

  bool empty() const { return rows_.empty(); }

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// "512 B", "1.5 KiB", "20.3 MiB".
std::string format_bytes(unsigned long long bytes);

}  // namespace lathe::tools
