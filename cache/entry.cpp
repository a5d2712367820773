#include "cache/entry.h"

#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "cache/digest.h"

namespace lathe::cache {

namespace {

static_assert(std::endian::native == std::endian::little,
              "entries are little-endian; this machine would need to swap");

constexpr std::string_view kMagic = "LATHEKRN";
constexpr std::uint32_t kMaxSections = 16;
constexpr std::size_t kChecksumBytes = 16;

class Writer {
 public:
  explicit Writer(std::size_t bytes) { bytes_.reserve(bytes); }

  void raw(std::span<const std::byte> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  template <class Number>
  void number(Number value) {
    raw(std::as_bytes(std::span(&value, 1)));
  }
  void text(std::span<const std::byte> bytes) {
    number<std::uint64_t>(bytes.size());
    raw(bytes);
  }
  void text(std::string_view characters) { text(std::as_bytes(std::span(characters))); }
  Bytes take() && { return std::move(bytes_); }
  std::span<const std::byte> written() const { return bytes_; }

 private:
  Bytes bytes_;
};

/// Reads forward and never past the end; after the first failure everything it gives is empty.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

  bool failed() const { return failed_; }
  bool at_end() const { return rest_.empty(); }

  std::span<const std::byte> raw(std::uint64_t count) {
    if (failed_ || count > rest_.size()) {
      failed_ = true;
      return {};
    }
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  template <class Number>
  Number number() {
    Number value{};
    if (const auto bytes = raw(sizeof value); !failed_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::span<const std::byte> text() { return raw(number<std::uint64_t>()); }
  std::string characters() {
    const auto bytes = text();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  std::span<const std::byte> rest_;
  bool failed_ = false;
};

std::size_t encoded_size(const Entry& entry) {
  std::size_t size = kMagic.size() + 2 * sizeof(std::uint32_t) + 2 * sizeof(std::uint64_t) + kChecksumBytes;
  for (const std::string* text : {&entry.creator, &entry.key_text, &entry.metadata})
    size += sizeof(std::uint64_t) + text->size();
  for (const Section& section : entry.sections)
    size += 2 * sizeof(std::uint64_t) + section.name.size() + section.bytes.size();
  return size;
}

/// The fixed fields. Empty reason: sound so far.
std::string check_header(Reader& reader, std::uint32_t& sections, std::uint64_t& total) {
  const auto magic = reader.raw(kMagic.size());
  if (reader.failed() || std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0)
    return "not a file of the kernel cache";
  const auto version = reader.number<std::uint32_t>();
  if (version != kEntryVersion)
    return fmt::format("format version {}, this is version {}", version, kEntryVersion);
  sections = reader.number<std::uint32_t>();
  total = reader.number<std::uint64_t>();
  if (reader.failed()) return "cut short in its header";
  if (sections > kMaxSections)
    return fmt::format("{} sections, at most {} are allowed", sections, kMaxSections);
  return {};
}

std::optional<Entry> refuse(std::string* why, std::string reason) {
  if (why != nullptr) *why = std::move(reason);
  return std::nullopt;
}

}  // namespace

Bytes encode(const Entry& entry) {
  const std::size_t size = encoded_size(entry);
  Writer writer(size);
  writer.raw(std::as_bytes(std::span(kMagic)));
  writer.number(kEntryVersion);
  writer.number(static_cast<std::uint32_t>(entry.sections.size()));
  writer.number<std::uint64_t>(size);
  writer.number(entry.created_unix);
  writer.text(entry.creator);
  writer.text(entry.key_text);
  writer.text(entry.metadata);
  for (const Section& section : entry.sections) {
    writer.text(section.name);
    writer.text(section.bytes);
  }
  const Digest checksum = digest_of(writer.written());
  writer.number(checksum.high);
  writer.number(checksum.low);
  return std::move(writer).take();
}

std::optional<Entry> decode(std::span<const std::byte> file, std::string* why) {
  Reader reader(file);
  std::uint32_t sections = 0;
  std::uint64_t total = 0;
  if (std::string reason = check_header(reader, sections, total); !reason.empty())
    return refuse(why, std::move(reason));
  if (total != file.size())
    return refuse(why, fmt::format("{} bytes long, its header says {}", file.size(), total));
  if (file.size() < kChecksumBytes) return refuse(why, "cut short in its header");
  Reader tail(file.last(kChecksumBytes));
  const Digest stored{tail.number<std::uint64_t>(), tail.number<std::uint64_t>()};
  const Digest computed = digest_of(file.first(file.size() - kChecksumBytes));
  if (stored != computed)
    return refuse(why, fmt::format("checksum {}, stored is {}", computed.hex(), stored.hex()));

  Entry entry;
  entry.created_unix = reader.number<std::uint64_t>();
  entry.creator = reader.characters();
  entry.key_text = reader.characters();
  entry.metadata = reader.characters();
  for (std::uint32_t i = 0; i < sections && !reader.failed(); ++i) {
    std::string name = reader.characters();
    const auto bytes = reader.text();
    entry.sections.push_back({std::move(name), {bytes.begin(), bytes.end()}});
  }
  reader.raw(kChecksumBytes);
  if (reader.failed() || !reader.at_end()) return refuse(why, "lengths that do not add up");
  return entry;
}

std::optional<Entry> decode_head(std::span<const std::byte> head) {
  Reader reader(head);
  std::uint32_t sections = 0;
  std::uint64_t total = 0;
  if (!check_header(reader, sections, total).empty()) return std::nullopt;
  Entry entry;
  entry.created_unix = reader.number<std::uint64_t>();
  entry.creator = reader.characters();
  entry.key_text = reader.characters();
  entry.metadata = reader.characters();
  if (reader.failed()) return std::nullopt;
  return entry;
}

}  // namespace lathe::cache
