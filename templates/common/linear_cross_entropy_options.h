// The choices of linear_cross_entropy as kernels see them; the names are those of the spec's enums.
#pragma once

enum class Mode { forward_only, gradient_in_forward, recompute, merge };
enum class Reduction { mean, sum, none };
enum class Upstream { one, scalar, token };
