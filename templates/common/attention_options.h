// The choices of attention as kernels see them; the names are those of the spec's enums.
#pragma once

enum class Mask { none, causal, custom };
enum class KvStorage { contiguous, ragged, paged };
enum class AttentionScale { none, tensor, head };
