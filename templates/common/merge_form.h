// The choices of attention_merge as kernels see them; the names are those of the spec's enum.
#pragma once

enum class MergeForm { two, stacked, ragged };
