// The launch arguments of every op. Kernels include this same header.
#pragma once

#include <lathe/args_base.h>
#include <lathe/attention_args.h>
#include <lathe/attention_merge_args.h>
#include <lathe/kv_move_args.h>
#include <lathe/linear_cross_entropy_args.h>
#include <lathe/rms_norm_args.h>
#include <lathe/rms_norm_backward_args.h>
#include <lathe/rope_args.h>
