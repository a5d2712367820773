// Lathe: a kernel spec becomes a running kernel. This header includes the whole public API.
#pragma once

#include <lathe/args.h>
#include <lathe/attention_plan.h>
#include <lathe/buffer.h>
#include <lathe/dtype.h>
#include <lathe/emulator.h>
#include <lathe/error.h>
#include <lathe/kernel.h>
#include <lathe/kv_positions.h>
#include <lathe/kv_presets.h>
#include <lathe/options.h>
#include <lathe/runtime.h>
#include <lathe/specs.h>
#include <lathe/target.h>
#include <lathe/tensor_view.h>
#include <lathe/version.h>
