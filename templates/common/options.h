// The choices of rms_norm as kernels see them; the names are those of the spec's enums.
#pragma once

enum class Casting { llama, gemma, none };
enum class Residual { none, round_then_norm, norm_then_round };
enum class OutputScale { none, given, per_tensor, per_row, per_block };
