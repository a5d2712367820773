#include "tools/lathe/attention_launch.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/try.h"

namespace lathe::tools {

namespace {

using Numbers = std::vector<std::int64_t>;

Error bad(std::string message, std::string hint = {}) {
  return {.code = ErrorCode::invalid_argument,
          .stage = Stage::api,
          .message = std::move(message),
          .hint = std::move(hint)};
}

Result<Numbers> numbers_of(const std::string& name, const NpyArray& array) {
  const bool is_narrow = array.type == NpyType::i4;
  if ((!is_narrow && array.type != NpyType::i8) || array.shape.size() != 1) {
    return bad(fmt::format("{}: expected a list of int32 or int64, found {} {}", name,
                           numpy_name_of(array.type), format_shape(array.shape)));
  }
  Numbers numbers;
  const std::size_t width = is_narrow ? sizeof(std::int32_t) : sizeof(std::int64_t);
  for (std::size_t at = 0; at < array.bytes.size(); at += width) {
    std::int32_t narrow = 0;
    std::int64_t wide = 0;
    std::memcpy(is_narrow ? static_cast<void*>(&narrow) : &wide, array.bytes.data() + at, width);
    numbers.push_back(is_narrow ? narrow : wide);
  }
  return numbers;
}

/// An array of the batch, which is not one of the launch; empty if it was not given.
Result<std::optional<Numbers>> take_numbers(GivenArguments& given, const std::string& name) {
  const auto found = given.inputs.extract(name);
  if (found.empty()) return std::optional<Numbers>();
  LATHE_TRY(Numbers numbers, numbers_of(name, found.mapped()));
  return std::optional(std::move(numbers));
}

/// Extent `axis` of an array of the launch; 0 if it is not there, which is reported with the others later.
std::int64_t extent_of(const GivenArguments& given, const std::string& name, std::size_t axis) {
  const auto found = given.inputs.find(name);
  return found == given.inputs.end() || axis >= found->second.shape.size() ? 0 : found->second.shape[axis];
}

/// 0, then the sums of the first one, two, ...
Numbers sums_of(const Numbers& numbers) {
  Numbers sums(numbers.size() + 1);
  std::partial_sum(numbers.begin(), numbers.end(), sums.begin() + 1);
  return sums;
}

Result<Numbers> lengths_left_out(const AttentionSpec& spec, const GivenArguments& given,
                                 const std::optional<Numbers>& kv_indptr) {
  if (spec.storage == KvStorage::paged) {
    return bad("the input kv_lengths is missing: pages do not say how far they are filled",
               "add --in kv_lengths=FILE.npy, int64 [requests]");
  }
  if (spec.storage == KvStorage::contiguous)
    return Numbers(static_cast<std::size_t>(extent_of(given, "k", 0)), extent_of(given, "k", 1));
  if (!kv_indptr) return Numbers{extent_of(given, "k", 0)};
  Numbers lengths;
  for (std::size_t i = 1; i < kv_indptr->size(); ++i)
    lengths.push_back((*kv_indptr)[i] - (*kv_indptr)[i - 1]);
  return lengths;
}

Result<Numbers> queries_left_out(std::int64_t tokens, std::size_t requests) {
  if (requests == 1) return Numbers{0, tokens};
  if (tokens != static_cast<std::int64_t>(requests)) {
    return bad(fmt::format("the input query_indptr is missing: {} requests may share {} queries in many ways",
                           requests, tokens),
               "add --in query_indptr=FILE.npy, int64 [requests + 1]");
  }
  Numbers one_each(requests + 1);
  std::iota(one_each.begin(), one_each.end(), 0);
  return one_each;
}

Numbers begins_left_out(const AttentionSpec& spec, const Numbers& lengths) {
  if (spec.storage == KvStorage::contiguous) return {};
  Numbers steps = lengths;
  if (spec.storage == KvStorage::paged) {
    for (std::int64_t& step : steps) step = (step + spec.page_size - 1) / spec.page_size;
  }
  return sums_of(steps);
}

/// That no request reaches beyond what is there. The plan checks the rest.
Result<void> check_reach(const AttentionSpec& spec, const GivenArguments& given,
                         const AttentionBatch& batch) {
  const std::int64_t tokens = extent_of(given, "q", 0);
  if (!batch.query_indptr.empty() && batch.query_indptr.back() > tokens) {
    return bad(fmt::format("query_indptr ends at {}, q has {} tokens", batch.query_indptr.back(), tokens));
  }
  const bool is_paged = spec.storage == KvStorage::paged;
  const std::string_view unit = is_paged ? "page_indices" : "keys";
  const std::int64_t there = is_paged                                ? extent_of(given, "page_indices", 0)
                             : spec.storage == KvStorage::contiguous ? extent_of(given, "k", 1)
                                                                     : extent_of(given, "k", 0);
  for (std::size_t i = 0; i < batch.kv_lengths.size(); ++i) {
    const std::int64_t length = batch.kv_lengths[i];
    const std::int64_t begin = i < batch.kv_indptr.size() ? batch.kv_indptr[i] : 0;
    const std::int64_t used = is_paged ? length / spec.page_size + (length % spec.page_size != 0) : length;
    if (length > 0 && begin >= 0 && (begin > there || used > there - begin)) {
      return bad(
          fmt::format("request {} needs {} of {} from {} on, there are {}", i, used, unit, begin, there),
          "see kv_lengths and kv_indptr");
    }
  }
  const std::int64_t requests = extent_of(given, "k", 0);
  if (spec.storage == KvStorage::contiguous &&
      static_cast<std::int64_t>(batch.kv_lengths.size()) > requests) {
    return bad(
        fmt::format("kv_lengths has {} entries, k is of {} requests", batch.kv_lengths.size(), requests));
  }
  return {};
}

Result<void> check_pages(const AttentionSpec& spec, const GivenArguments& given) {
  const auto found = given.inputs.find("page_indices");
  if (spec.storage != KvStorage::paged || found == given.inputs.end()) return {};
  LATHE_TRY(const Numbers pages, numbers_of("page_indices", found->second));
  const std::int64_t there = extent_of(given, "k", 0);
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (pages[i] < 0 || pages[i] >= there) {
      return bad(fmt::format("page_indices[{}] is {}, k has {} pages", i, pages[i], there));
    }
  }
  return {};
}

/// Bits of each request from a byte on.
Result<void> check_mask(const AttentionSpec& spec, const GivenArguments& given, const AttentionBatch& batch) {
  if (spec.mask != AttentionMask::custom || batch.query_indptr.size() != batch.kv_lengths.size() + 1)
    return {};
  std::int64_t needed = 0;
  for (std::size_t i = 0; i < batch.kv_lengths.size(); ++i) {
    const std::int64_t queries = std::max<std::int64_t>(0, batch.query_indptr[i + 1] - batch.query_indptr[i]);
    needed += (queries * std::max<std::int64_t>(0, batch.kv_lengths[i]) + 7) / 8;
  }
  const std::int64_t there = extent_of(given, "mask", 0);
  if (there >= needed) return {};
  return bad(fmt::format("mask has {} bytes, the batch needs {}", there, needed),
             "a request has queries * keys bits, lowest first, from a byte on");
}

}  // namespace

Result<std::optional<AttentionLaunch>> AttentionLaunch::take(const KernelSpec& any, GivenArguments& given) {
  const auto* const spec = std::get_if<AttentionSpec>(&any);
  if (spec == nullptr || !given.inputs.contains("q") || !given.inputs.contains("k")) {
    return std::optional<AttentionLaunch>();  // of another op, or about to be refused
  }
  LATHE_TRY(auto query_indptr, take_numbers(given, "query_indptr"));
  LATHE_TRY(auto kv_lengths, take_numbers(given, "kv_lengths"));
  std::optional<Numbers> kv_indptr;
  if (spec->storage != KvStorage::contiguous) {
    LATHE_TRY(kv_indptr, take_numbers(given, "kv_indptr"));
  }
  if (!kv_lengths) {
    LATHE_TRY(kv_lengths, lengths_left_out(*spec, given, kv_indptr));
  }
  if (!query_indptr) {
    LATHE_TRY(query_indptr, queries_left_out(extent_of(given, "q", 0), kv_lengths->size()));
  }
  AttentionLaunch launch;
  launch.spec_ = *spec;
  launch.capacity_ = extent_of(given, "k", 1);
  launch.query_indptr_ = *std::move(query_indptr);
  launch.kv_lengths_ = *std::move(kv_lengths);
  launch.kv_indptr_ = kv_indptr ? *std::move(kv_indptr) : begins_left_out(*spec, launch.kv_lengths_);
  const AttentionBatch batch{
      .query_indptr = launch.query_indptr_, .kv_lengths = launch.kv_lengths_, .kv_indptr = launch.kv_indptr_};
  LATHE_CHECK(check_reach(*spec, given, batch));
  LATHE_CHECK(check_pages(*spec, given));
  LATHE_CHECK(check_mask(*spec, given, batch));
  return std::optional(std::move(launch));
}

Result<void> AttentionLaunch::upload(Runtime& runtime, const Kernel& kernel, LaunchArguments& launch) {
  auto& args = *reinterpret_cast<AttentionArgs*>(launch.bytes().data());
  const AttentionBatch batch{.query_indptr = query_indptr_,
                             .kv_lengths = kv_lengths_,
                             .kv_indptr = kv_indptr_,
                             .window_left = spec_.has_window ? args.window_left : -1};
  LATHE_TRY(const AttentionPlan plan, AttentionPlan::make(KernelFor<AttentionSpec>(kernel), batch));
  LATHE_TRY(plan_, runtime.allocate(std::max<std::size_t>(plan.bytes().size(), 16)));
  LATHE_CHECK(runtime.copy_to_device(plan_.data(), plan.bytes().data(), plan.bytes().size(), Stream{}));
  LATHE_TRY(workspace_, runtime.allocate(std::max<std::size_t>(plan.workspace_bytes(), 16)));
  plan.apply(args, plan_.data());
  args.workspace = workspace_.data();
  args.workspace_bytes = static_cast<Index>(plan.workspace_bytes());
  if (spec_.storage == KvStorage::contiguous) {
    args.k_outer_stride = capacity_ * spec_.kv_heads * (spec_.head_dim - spec_.rest_dim);
    args.k_rest_outer_stride = capacity_ * spec_.rest_dim;
    args.v_outer_stride = capacity_ * spec_.kv_heads * spec_.value_dim;
  }
  return {};
}

}  // namespace lathe::tools
