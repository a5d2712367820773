#include "runtime/ptx/wgmma_state.h"

#include <algorithm>

#include <fmt/format.h>

#include "runtime/ptx/warp.h"

namespace lathe::runtime::ptx {

void WgmmaState::issue(WgmmaProduct product) {
  product.group = groups_;
  registers.begin(*product.step);
  pending_.push_back(product);
}

std::span<const WgmmaProduct> WgmmaState::due(std::uint64_t kept) const {
  const std::uint64_t end = kept < groups_ ? groups_ - kept : 0;
  const auto last =
      std::ranges::partition_point(pending_, [&](const WgmmaProduct& each) { return each.group < end; });
  return {pending_.begin(), last};
}

void WgmmaState::complete(std::size_t count) {
  const auto end = pending_.begin() + static_cast<std::ptrdiff_t>(count);
  std::for_each(pending_.begin(), end, [&](const WgmmaProduct& each) { registers.end(*each.step); });
  pending_.erase(pending_.begin(), end);
}

void check_no_products_pending(Warp& warp) {
  const auto pending = warp.wgmma.pending();
  if (pending.empty()) return;
  warp.fault(
      FaultKind::illegal,
      fmt::format("the warp ends without having waited for {} of its wgmma operations, the first issued at "
                  "PTX line {}",
                  pending.size(), warp.program().origins[pending.front().step->instruction].line));
}

}  // namespace lathe::runtime::ptx
