#include "tools/lathe/npy_header.h"

#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lathe::tools {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kAlignment = 64;

Error bad(std::string_view name, const std::string& what) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::api,
          .message = fmt::format("{}: {}", name, what),
          .hint = "save it with numpy.save(file, array)"};
}

/// Reads the subset of Python literals that NumPy writes, front to back.
class Literal {
 public:
  explicit Literal(std::string_view text) : rest_(text) {}

  bool take(char wanted) {
    skip_blanks();
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::optional<std::string> take_string() {
    skip_blanks();
    if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"')) return std::nullopt;
    const std::size_t end = rest_.find(rest_.front(), 1);
    if (end == std::string_view::npos) return std::nullopt;
    std::string text(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return text;
  }

  std::optional<bool> take_bool() {
    skip_blanks();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (!rest_.starts_with(word)) continue;
      rest_.remove_prefix(word.size());
      return value;
    }
    return std::nullopt;
  }

  /// "()", "(4,)", "(8, 4096)".
  std::optional<std::vector<std::int64_t>> take_tuple() {
    if (!take('(')) return std::nullopt;
    std::vector<std::int64_t> values;
    while (!take(')')) {
      const auto value = take_integer();
      if (!value) return std::nullopt;
      values.push_back(*value);
      if (take(',')) continue;
      if (!take(')')) return std::nullopt;
      break;
    }
    return values;
  }

  bool at_end() {
    skip_blanks();
    return rest_.empty();
  }

 private:
  void skip_blanks() {
    const std::size_t first = rest_.find_first_not_of(" \n");
    rest_.remove_prefix(first == std::string_view::npos ? rest_.size() : first);
  }

  std::optional<std::int64_t> take_integer() {
    skip_blanks();
    std::int64_t value = 0;
    const auto [end, failure] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (failure != std::errc()) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    if (rest_.starts_with('L')) rest_.remove_prefix(1);  // files of Python 2
    return value;
  }

  std::string_view rest_;
};

/// Nothing when the text is not the dictionary that the format prescribes.
std::optional<NpyHeader> parse_dictionary(std::string_view text) {
  Literal literal(text);
  std::optional<std::string> descr;
  std::optional<bool> is_fortran_order;
  std::optional<std::vector<std::int64_t>> shape;
  if (!literal.take('{')) return std::nullopt;
  while (!literal.take('}')) {
    const auto key = literal.take_string();
    if (!key || !literal.take(':')) return std::nullopt;
    if (*key == "descr" && !descr) {
      if (!(descr = literal.take_string())) return std::nullopt;
    } else if (*key == "fortran_order" && !is_fortran_order) {
      if (!(is_fortran_order = literal.take_bool())) return std::nullopt;
    } else if (*key == "shape" && !shape) {
      if (!(shape = literal.take_tuple())) return std::nullopt;
    } else {
      return std::nullopt;
    }
    if (literal.take(',')) continue;
    if (!literal.take('}')) return std::nullopt;
    break;
  }
  if (!literal.at_end() || !descr || !is_fortran_order || !shape) return std::nullopt;
  return NpyHeader{.descr = *descr, .shape = *shape, .is_fortran_order = *is_fortran_order};
}

std::size_t little_endian(std::string_view bytes) {
  std::size_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

Result<NpyHeader> parse_npy_header(std::string_view content, std::string_view name) {
  if (!content.starts_with(kMagic))
    return bad(name, "this is not an .npy file: it does not begin with \\x93NUMPY");
  if (content.size() < 10) return bad(name, "the file ends inside its header");
  const int version = static_cast<unsigned char>(content[6]);
  if (version < 1 || version > 3) {
    return bad(name, fmt::format("version {} of the format is not known; 1, 2 and 3 are", version));
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t text_begin = kMagic.size() + 2 + length_bytes;
  if (content.size() < text_begin) return bad(name, "the file ends inside its header");
  const std::size_t length = little_endian(content.substr(8, length_bytes));
  if (content.size() - text_begin < length) return bad(name, "the file ends inside its header");
  auto header = parse_dictionary(content.substr(text_begin, length));
  if (!header) {
    return bad(name,
               "the header is not a dictionary of 'descr', 'fortran_order' and 'shape' for one plain type");
  }
  header->size = text_begin + length;
  return *std::move(header);
}

std::string format_npy_header(const NpyHeader& header) {
  const std::string tuple = header.shape.size() == 1 ? fmt::format("({},)", header.shape[0])
                                                     : fmt::format("({})", fmt::join(header.shape, ", "));
  std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", header.descr, tuple);
  const auto padded = [&](std::size_t prefix) {
    const std::size_t whole = (prefix + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
    return text + std::string(whole - prefix - text.size() - 1, ' ') + "\n";
  };
  std::string body = padded(10);
  const bool is_short = body.size() <= 0xFFFF;
  if (!is_short) body = padded(12);
  std::string result(kMagic);
  result += is_short ? '\x01' : '\x02';
  result += '\0';
  for (std::size_t i = 0; i < (is_short ? 2u : 4u); ++i) {
    result += static_cast<char>(body.size() >> (8 * i) & 0xFFu);
  }
  return result + body;
}

}  // namespace lathe::tools
