#include "runtime/cuda/cubin.h"

#include <cstdint>
#include <cstring>
#include <string>

#include <fmt/format.h>

namespace lathe::runtime::cuda {

namespace {

/// Offsets in the header of a 64-bit ELF file.
constexpr std::size_t kHeaderBytes = 64;
constexpr std::size_t kClass = 4;
constexpr std::size_t kMachine = 18;
constexpr std::size_t kSegmentTable = 32;
constexpr std::size_t kSectionTable = 40;
constexpr std::size_t kSegmentEntryBytes = 54;
constexpr std::size_t kSectionEntryBytes = 58;

constexpr unsigned char kClass64 = 2;
constexpr std::uint16_t kMachineCuda = 190;

template <class T>
T read(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

Error bad_cubin(std::string message) {
  return {.code = ErrorCode::load_failed,
          .stage = Stage::load,
          .message = std::move(message),
          .hint = "the cached binary is damaged; run `lathe cache verify`"};
}

/// The count of a table's entries follows their size.
bool table_fits(std::span<const std::byte> bytes, std::size_t table, std::size_t entry_bytes) {
  const auto offset = read<std::uint64_t>(bytes, table);
  const std::uint64_t size = std::uint64_t{read<std::uint16_t>(bytes, entry_bytes)} *
                             read<std::uint16_t>(bytes, entry_bytes + sizeof(std::uint16_t));
  return offset <= bytes.size() && size <= bytes.size() - offset;
}

}  // namespace

Result<void> check_cubin(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderBytes) {
    return bad_cubin(fmt::format("cubin: expected at least {} bytes, got {}", kHeaderBytes, bytes.size()));
  }
  if (std::memcmp(bytes.data(),
                  "\x7f"
                  "ELF",
                  4) != 0) {
    return bad_cubin("cubin: expected an ELF file, got other bytes");
  }
  const auto machine = read<std::uint16_t>(bytes, kMachine);
  if (read<unsigned char>(bytes, kClass) != kClass64 || machine != kMachineCuda) {
    return bad_cubin(
        fmt::format("cubin: expected 64-bit code for NVIDIA GPUs (ELF machine {}), got machine {}",
                    kMachineCuda, machine));
  }
  // The program headers are the last thing in a cubin, so that one cut off anywhere is noticed.
  if (!table_fits(bytes, kSegmentTable, kSegmentEntryBytes) ||
      !table_fits(bytes, kSectionTable, kSectionEntryBytes)) {
    return bad_cubin(fmt::format("cubin: cut off after {} bytes", bytes.size()));
  }
  return {};
}

}  // namespace lathe::runtime::cuda
