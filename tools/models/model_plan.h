// From a model's configuration to the kernels that it needs.
//
// One file per family of architectures holds its rules; model_plan.cpp holds the table of them. All functions
// are pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <lathe/error.h>
#include <lathe/specs.h>

#include "tools/models/model_config.h"

namespace lathe::models {

/// A kernel and where the model uses it.
struct KernelUse {
  KernelSpec spec;
  std::int64_t count = 0;  ///< launches per forward pass
  std::string where;       ///< "input_layernorm of the first layer"
};

struct ModelPlan {
  std::vector<KernelUse> uses;        ///< no spec twice
  double epsilon = 0;                 ///< of every norm; an argument, so in no spec
  std::vector<std::string> warnings;  ///< what was assumed
};

/// The kernels of a model. An architecture without rules is treated like Llama, with a warning that says so.
/// Errors: invalid_argument when the configuration lacks what its architecture's rules need.
Result<ModelPlan> plan_model(const ModelConfig& config);

/// "llama", "mistral", ...: the values of model_type that have rules.
std::vector<std::string_view> known_model_types();

}  // namespace lathe::models
