// The rules of each family: which norms a model has, and how often.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <lathe/error.h>
#include <lathe/rms_norm.h>
#include <lathe/specs.h>

#include "tools/models/model_config.h"
#include "tools/models/model_plan.h"

namespace lathe::models {

/// Collects uses; the same spec twice becomes one use with both counts and places.
class UseList {
 public:
  /// A count of 0 adds nothing.
  void add(const KernelSpec& spec, std::int64_t count, const std::string& where);
  std::vector<KernelUse> take() { return std::move(uses_); }

 private:
  std::vector<KernelUse> uses_;
};

/// The norms of decoder layers that normalise before attention and before the MLP, and once at the end. Each
/// adds the residual on the way, except the first of all: before it there is nothing to add. `norm` is the
/// plain norm of the family.
void add_pre_norms(const ModelConfig& config, const RmsNormSpec& norm, UseList& uses);

/// The norm of Hugging Face's LlamaRMSNorm: x * rstd is rounded to the dtype before the weight.
RmsNormSpec llama_norm(const ModelConfig& config);

// One per family.
Result<void> plan_llama(const ModelConfig& config, UseList& uses);
Result<void> plan_qwen3(const ModelConfig& config, UseList& uses);
Result<void> plan_gemma2(const ModelConfig& config, UseList& uses);
Result<void> plan_gemma3(const ModelConfig& config, UseList& uses);
Result<void> plan_deepseek_v3(const ModelConfig& config, UseList& uses);
Result<void> plan_gpt_oss(const ModelConfig& config, UseList& uses);

}  // namespace lathe::models
