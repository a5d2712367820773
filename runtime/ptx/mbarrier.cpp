#include "runtime/ptx/mbarrier.h"

#include <fmt/format.h>

namespace lathe::runtime::ptx {

std::string_view Mbarrier::arrive(std::uint64_t count) {
  if (count == 0 || count > kMostArrivals) return "an arrival counts for 1 to 2^20 - 1";
  if (count > arrivals_) return "there are more arrivals than the phase expects";
  arrivals_ -= static_cast<std::uint32_t>(count);
  advance();
  return {};
}

std::string_view Mbarrier::arrive_and_drop(std::uint64_t count) {
  if (count > expected_) return "more arrivals are dropped than the mbarrier expects";
  const std::uint32_t before = expected_;
  expected_ -= static_cast<std::uint32_t>(count);
  const std::string_view broken = arrive(count);
  if (!broken.empty()) expected_ = before;
  return broken;
}

std::string_view Mbarrier::expect_arrival() {
  if (arrivals_ == kMostArrivals) return "the phase expects more than 2^20 - 1 arrivals";
  ++arrivals_;
  return {};
}

std::string_view Mbarrier::expect_bytes(std::uint64_t bytes) {
  if (bytes > kMostBytes) return "the byte count is beyond 2^20 - 1";
  if (bytes_ + static_cast<std::int64_t>(bytes) > kMostBytes)
    return "the bytes that the phase expects are beyond 2^20 - 1";
  bytes_ += static_cast<std::int64_t>(bytes);
  advance();  // they may have come already
  return {};
}

std::string_view Mbarrier::complete_bytes(std::uint64_t bytes) {
  if (bytes > kMostBytes) return "the byte count is beyond 2^20 - 1";
  if (bytes_ - static_cast<std::int64_t>(bytes) < -kMostBytes)
    return "the phase got over 2^20 - 1 bytes more than it expects";
  bytes_ -= static_cast<std::int64_t>(bytes);
  advance();
  return {};
}

void Mbarrier::advance() {
  if (arrivals_ != 0 || bytes_ != 0) return;
  ++phase_;
  arrivals_ = expected_;
}

std::string Mbarrier::describe() const {
  std::string text = fmt::format("phase {} needs {} of {} arrivals", phase_, arrivals_, expected_);
  if (bytes_ > 0) text += fmt::format(" and {} bytes more", bytes_);
  if (bytes_ < 0) text += fmt::format(" and got {} bytes more than it expects", -bytes_);
  if (bytes_ == 0) text += " more";
  return text;
}

}  // namespace lathe::runtime::ptx
