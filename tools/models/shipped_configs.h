// The configurations in configs/, embedded at build time so that the program needs no files beside it.
#pragma once

#include <string_view>

namespace lathe::models {

/// configs/llama-3.1-8b.json.
std::string_view llama_3_1_8b_config();

}  // namespace lathe::models
