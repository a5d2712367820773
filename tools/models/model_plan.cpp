#include "tools/models/model_plan.h"

#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/base/try.h"
#include "tools/models/norm_rules.h"

namespace lathe::models {

namespace {

struct Rules {
  std::string_view model_type;
  Result<void> (*plan)(const ModelConfig&, UseList&);
};

constexpr std::array kRules{
    Rules{"llama", plan_llama},    Rules{"mistral", plan_llama},      Rules{"mixtral", plan_llama},
    Rules{"qwen2", plan_llama},    Rules{"qwen3", plan_qwen3},        Rules{"qwen3_moe", plan_qwen3},
    Rules{"gemma2", plan_gemma2},  Rules{"gemma3_text", plan_gemma3}, Rules{"deepseek_v3", plan_deepseek_v3},
    Rules{"gpt_oss", plan_gpt_oss}};

const Rules* find_rules(std::string_view model_type) {
  for (const Rules& rules : kRules) {
    if (rules.model_type == model_type) return &rules;
  }
  return nullptr;
}

}  // namespace

void UseList::add(const KernelSpec& spec, std::int64_t count, const std::string& where) {
  if (count == 0) return;
  for (KernelUse& use : uses_) {
    if (use.spec != spec) continue;
    use.count += count;
    use.where += ", " + where;
    return;
  }
  uses_.push_back({spec, count, where});
}

Result<ModelPlan> plan_model(const ModelConfig& config) {
  ModelPlan plan;
  plan.epsilon = config.epsilon;
  const Rules* rules = find_rules(config.model_type);
  if (rules == nullptr) {
    rules = find_rules("llama");
    plan.warnings.push_back(fmt::format(
        "there are no rules for the architecture \"{}\" (known: {}); assumed, as in Llama: RMSNorm before "
        "attention, before the MLP and at the end, with the residual added on the way and the normalised row "
        "rounded before the weight; and halves of heads rotated",
        config.model_type, fmt::join(known_model_types(), ", ")));
  }
  for (const std::string& assumed : config.assumed) {
    plan.warnings.push_back("the configuration does not say it; assumed " + assumed);
  }
  UseList uses;
  LATHE_CHECK(rules->plan(config, uses));
  plan.uses = uses.take();
  return plan;
}

std::vector<std::string_view> known_model_types() {
  std::vector<std::string_view> names;
  for (const Rules& rules : kRules) names.push_back(rules.model_type);
  return names;
}

}  // namespace lathe::models
