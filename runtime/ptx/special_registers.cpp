#include "runtime/ptx/special_registers.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lathe::runtime::ptx {

namespace {

using enum Special;

constexpr std::pair<std::string_view, Special> kNames[] = {
    {"%tid.x", tid_x},
    {"%tid.y", tid_y},
    {"%tid.z", tid_z},
    {"%ntid.x", ntid_x},
    {"%ntid.y", ntid_y},
    {"%ntid.z", ntid_z},
    {"%ctaid.x", ctaid_x},
    {"%ctaid.y", ctaid_y},
    {"%ctaid.z", ctaid_z},
    {"%nctaid.x", nctaid_x},
    {"%nctaid.y", nctaid_y},
    {"%nctaid.z", nctaid_z},
    {"%clusterid.x", clusterid_x},
    {"%clusterid.y", clusterid_y},
    {"%clusterid.z", clusterid_z},
    {"%nclusterid.x", nclusterid_x},
    {"%nclusterid.y", nclusterid_y},
    {"%nclusterid.z", nclusterid_z},
    {"%cluster_ctaid.x", cluster_ctaid_x},
    {"%cluster_ctaid.y", cluster_ctaid_y},
    {"%cluster_ctaid.z", cluster_ctaid_z},
    {"%cluster_nctaid.x", cluster_nctaid_x},
    {"%cluster_nctaid.y", cluster_nctaid_y},
    {"%cluster_nctaid.z", cluster_nctaid_z},
    {"%cluster_ctarank", cluster_ctarank},
    {"%cluster_nctarank", cluster_nctarank},
    {"%is_explicit_cluster", is_explicit_cluster},
    {"%laneid", laneid},
    {"%warpid", warpid},
    {"%nwarpid", nwarpid},
    {"%smid", smid},
    {"%nsmid", nsmid},
    {"%gridid", gridid},
    {"%lanemask_eq", lanemask_eq},
    {"%lanemask_le", lanemask_le},
    {"%lanemask_lt", lanemask_lt},
    {"%lanemask_ge", lanemask_ge},
    {"%lanemask_gt", lanemask_gt},
    {"%dynamic_smem_size", dynamic_smem_size},
    {"%total_smem_size", total_smem_size},
    {"%aggr_smem_size", aggr_smem_size},
};

}  // namespace

std::optional<Special> special_named(std::string_view name) {
  const auto* at = std::find_if(std::begin(kNames), std::end(kNames),
                                [&](const auto& entry) { return entry.first == name; });
  if (at == std::end(kNames)) return std::nullopt;
  return at->second;
}

}  // namespace lathe::runtime::ptx
