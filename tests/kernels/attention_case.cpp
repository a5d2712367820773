#include "tests/kernels/attention_case.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "codegen/canonical.h"
#include "tests/kernels/attention_tensors.h"
#include "tests/reference/attention.h"
#include "tests/reference/rope_frequencies.h"
#include "tests/support/kernel_report.h"

namespace lathe::tests {

namespace {

double half_ulp_of(const AttentionSpec& spec) {
  return spec.dtype == bf16 ? 0x1p-9 : 0x1p-12;
}

/// What is done to q and k before their product may be rounded to the dtype, each once.
double logit_error_of(const AttentionSpec& spec, const reference::AttentionRow& row) {
  const bool is_transformed = spec.rope || !spec.hooks.query.empty() || !spec.hooks.key.empty();
  return row.largest_dot * (0x1p-20 + (is_transformed ? 2 * half_ulp_of(spec) : 0));
}

/// What rounding the weights and the result to the dtype may change, twice over, and what floats may.
double tolerance(const AttentionSpec& spec, const reference::AttentionRow& row, std::size_t d) {
  const double half_ulp = half_ulp_of(spec);
  const double logit_error = logit_error_of(spec, row) + 0x1p-20;
  return row.magnitude[d] * (2 * half_ulp + 4 * logit_error) + 2 * std::abs(row.o[d]) * half_ulp + 0x1p-24;
}

double lse_tolerance(const AttentionSpec& spec, const reference::AttentionRow& row) {
  return 0x1p-14 + 2 * logit_error_of(spec, row) + std::abs(row.lse) * 0x1p-21;
}

/// Of pairs (i, i + n / 2), at a position of the request.
void rotate_halves(const AttentionSpec& spec, std::vector<double>& row, Index position) {
  const auto radians = reference::rope_frequencies(*spec.rope, spec.head_dim);
  const double factor = reference::rope_attention_factor(*spec.rope);
  const std::size_t pairs = row.size() / 2;
  for (std::size_t i = 0; i < pairs; ++i) {
    const long double angle = radians[i] * static_cast<long double>(position);
    const double cos = static_cast<double>(std::cos(angle)) * factor;
    const double sin = static_cast<double>(std::sin(angle)) * factor;
    const double x = row[i];
    const double y = row[i + pairs];
    row[i] = x * cos - y * sin;
    row[i + pairs] = y * cos + x * sin;
  }
}

/// A row of q or k as the product takes it.
template <class Hook>
std::vector<double> transformed(const AttentionSpec& spec, std::vector<double> row, Index position,
                                const Hook& hook, Index number) {
  if (spec.rope) rotate_halves(spec, row, position);
  if (!hook) return row;
  for (std::size_t dim = 0; dim < row.size(); ++dim) row[dim] = hook(row[dim], static_cast<int>(dim), number);
  return row;
}

reference::AttentionQuery query_of(const AttentionCase& test, const AttentionTensors& tensors,
                                   std::size_t request, Index query, Index head) {
  const AttentionSpec& spec = test.spec;
  const AttentionLengths& lengths = test.requests[request];
  reference::AttentionQuery row{
      .query = query,
      .query_length = lengths.queries,
      .kv_length = lengths.keys,
      .q = transformed(spec, tensors.query(request, query, head), lengths.keys - lengths.queries + query,
                       test.query_hook, query)};
  row.scale =
      test.softmax_scale != 0 ? test.softmax_scale : 1 / std::sqrt(static_cast<double>(spec.head_dim));
  row.soft_cap = spec.has_soft_cap ? test.soft_cap : 0;
  row.alibi_slope = tensors.slope(head);
  row.has_sink = spec.has_sinks;
  if (spec.has_sinks) row.sink = tensors.sink(head);
  row.is_causal = spec.mask == AttentionMask::causal;
  row.window_left = spec.has_window ? test.window_left : -1;
  row.is_visible = [&test, &tensors, request, query](std::int64_t key) {
    return tensors.is_unmasked(request, query, key) && (!test.mask_hook || test.mask_hook(query, key));
  };
  row.hook = test.logits_hook;
  return row;
}

/// What the launch left.
struct Outputs {
  HostTensor o;
  HostTensor lse;
};

struct RowPlace {
  std::size_t request;
  Index query;
  Index head;
};

std::string compare_row(const AttentionCase& test, const AttentionTensors& tensors, const Outputs& outputs,
                        const reference::AttentionRow& expected, const RowPlace& row) {
  const Index token = tensors.token(row.request, row.query);
  const auto where = [&] {
    return fmt::format("request {}, query {}, head {}", row.request, row.query, row.head);
  };
  for (std::size_t d = 0; d < expected.o.size(); ++d) {
    const double value = outputs.o.at(tensors.o_layout.at(0, token, row.head) + d);
    const bool is_exact = test.exact || expected.magnitude[d] == 0;
    const double room = is_exact ? 0 : tolerance(test.spec, expected, d);
    if (!(std::abs(value - expected.o[d]) <= room)) {
      return fmt::format("o of {}, element {} is {}, expected {} +- {}", where(), d, value, expected.o[d],
                         room);
    }
  }
  if (!test.spec.store_lse) return {};
  const double lse = outputs.lse.at(static_cast<std::size_t>(token * test.spec.query_heads + row.head));
  const bool is_right = std::isinf(expected.lse)
                            ? lse == expected.lse
                            : std::abs(lse - expected.lse) <= lse_tolerance(test.spec, expected);
  if (is_right) return {};
  return fmt::format("lse of {} is {}, expected {} +- {}", where(), lse, expected.lse,
                     lse_tolerance(test.spec, expected));
}

/// All rows, or of very many some: the reference is slow.
Index step_between_compared(const AttentionCase& test) {
  double products = 0;
  for (const AttentionLengths& lengths : test.requests)
    products += static_cast<double>(lengths.queries) * static_cast<double>(lengths.keys);
  const double work = products * static_cast<double>(test.spec.query_heads * (test.spec.head_dim + 64));
  return std::max<Index>(1, static_cast<Index>(work / 1e8)) | 1;
}

std::string compare(const AttentionCase& test, const AttentionTensors& tensors) {
  const Outputs outputs{tensors.o->now(), tensors.lse ? tensors.lse->now() : HostTensor(f32, 0)};
  const Index group = test.spec.query_heads / test.spec.kv_heads;
  const Index step = step_between_compared(test);
  Index number = 0;
  for (std::size_t r = 0; r < test.requests.size(); ++r) {
    for (Index kv_head = 0; kv_head < test.spec.kv_heads; ++kv_head) {
      std::vector<std::vector<double>> keys;
      std::vector<std::vector<double>> values;
      for (Index j = 0; j < test.requests[r].keys; ++j) {
        keys.push_back(transformed(test.spec, tensors.key(r, j, kv_head), j, test.key_hook, j));
        values.push_back(tensors.value(r, j, kv_head));
      }
      for (Index i = 0; i < test.requests[r].queries; ++i) {
        for (Index head = kv_head * group; head < (kv_head + 1) * group; ++head) {
          if (number++ % step != 0) continue;
          auto expected = reference::attention_row(query_of(test, tensors, r, i, head), keys, values);
          // Of no keys at all the reference knows no dimension.
          const Index dim = test.spec.value_dim == 0 ? test.spec.head_dim : test.spec.value_dim;
          expected.o.resize(static_cast<std::size_t>(dim));
          expected.magnitude.resize(static_cast<std::size_t>(dim));
          for (std::size_t d = 0; test.output_hook && d < expected.o.size(); ++d)
            expected.o[d] = test.output_hook(expected.o[d], static_cast<int>(d), head);
          std::string wrong = compare_row(test, tensors, outputs, expected, {r, i, head});
          if (!wrong.empty()) return wrong;
        }
      }
    }
  }
  return {};
}

std::string launch(Runtime& runtime, const KernelFor<AttentionSpec>& kernel, const AttentionCase& test,
                   const AttentionTensors& tensors) {
  const auto plan = AttentionPlan::make(kernel, tensors.batch(), test.plan);
  if (!plan) return plan.error().text();
  GuardedBuffer bytes(runtime, plan->bytes().size());
  bytes.upload(plan->bytes().data());
  GuardedBuffer workspace(runtime, plan->workspace_bytes());
  const std::vector<std::byte> poison(plan->workspace_bytes(), std::byte{0xFF});
  workspace.upload(poison.data());
  AttentionArgs args = tensors.args();
  plan->apply(args, bytes.data());
  args.workspace = workspace.data();
  args.workspace_bytes = static_cast<Index>(plan->workspace_bytes());
  if (auto queued = kernel.launch(args, {}); !queued) return queued.error().text();
  if (auto done = runtime.synchronize({}); !done) return done.error().text();
  workspace.download();  // looks at the bands
  return compare(test, tensors);
}

AttentionLimits limits_of(const AttentionCase& test) {
  AttentionLimits limits{.requests = static_cast<std::int64_t>(test.requests.size())};
  for (const AttentionLengths& lengths : test.requests) {
    limits.queries += lengths.queries;
    limits.keys = std::max(limits.keys, lengths.keys);
  }
  return limits;
}

}  // namespace

std::string run_attention(Runtime& runtime, const AttentionCase& test) {
  auto kernel = runtime.get(test.spec);
  if (!kernel) return kernel.error().text();
  const AttentionTensors tensors(runtime, test);
  std::string wrong = launch(runtime, *kernel, test, tensors);
  report_kernel(test.spec, runtime.target(), wrong.empty());
  return wrong.empty() ? wrong : fmt::format("{}: {}", codegen::canonical_text(kernel->spec()), wrong);
}

std::string replay_attention(Runtime& runtime, const AttentionCase& test,
                             const std::vector<std::vector<std::int64_t>>& kv_lengths) {
  auto kernel = runtime.get(test.spec);
  if (!kernel) return kernel.error().text();
  AttentionTensors tensors(runtime, test);
  AttentionPlanOptions options = test.plan;
  options.room = AttentionPlan::room_for(*kernel, limits_of(test), options).value();
  const AttentionPlan first = AttentionPlan::make(*kernel, tensors.batch(), options).value();
  GuardedBuffer bytes(runtime, first.bytes().size());
  GuardedBuffer workspace(runtime, first.workspace_bytes());
  AttentionArgs args = tensors.args();
  first.apply(args, bytes.data());
  args.workspace = workspace.data();
  args.workspace_bytes = static_cast<Index>(first.workspace_bytes());
  AttentionCase shorter = test;
  for (const std::vector<std::int64_t>& lengths : kv_lengths) {
    for (std::size_t r = 0; r < lengths.size(); ++r) shorter.requests[r].keys = lengths[r];
    tensors.shorten(lengths);
    const auto plan = AttentionPlan::make(*kernel, tensors.batch(), options);
    if (!plan) return plan.error().text();
    AttentionArgs same = args;
    plan->apply(same, bytes.data());
    if (std::memcmp(&same, &args, sizeof args) != 0) return "another plan asks for other arguments";
    if (plan->workspace_bytes() != first.workspace_bytes()) return "another plan asks for other workspace";
    tensors.o->device.upload(tensors.o->before.bytes().data());
    if (tensors.lse) tensors.lse->device.upload(tensors.lse->before.bytes().data());
    bytes.upload(plan->bytes().data());
    if (auto queued = kernel->launch(args, {}); !queued) return queued.error().text();
    if (auto done = runtime.synchronize({}); !done) return done.error().text();
    if (std::string wrong = compare(shorter, tensors); !wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace lathe::tests
