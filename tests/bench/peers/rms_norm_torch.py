#!/usr/bin/env python3
"""PyTorch's rms_norm, eager and compiled: one JSON object per case and variant, with the fields of `lathe bench`."""

import re
import sys

import timing

CASES = ["rms_norm bf16 8192x4096", "rms_norm bf16 16384x8192", "rms_norm bf16 65536x128", "rms_norm f32 8192x4096"]


def shape(case):
    """ "rms_norm bf16 8192x4096" -> ("bf16", 8192, 4096); None for other names. How the weight is applied is
    PyTorch's own way, whatever follows the shape."""
    match = re.match(r"rms_norm (bf16|f16|f32) ([1-9]\d*)x([1-9]\d*)( |$)", case)
    return match and (match.group(1), int(match.group(2)), int(match.group(3)))


def variants(torch, hidden):
    """(name, function of x and weight). Each shape is compiled for itself, as Lathe compiles it."""

    def norm(x, weight):
        return torch.nn.functional.rms_norm(x, (hidden,), weight, 1e-6)

    yield "torch eager", norm
    torch._dynamo.reset()  # or the limit of recompiles would turn later shapes back to eager
    yield "torch compile", torch.compile(norm, dynamic=False, fullgraph=True)


def measure(torch, timer, device, case):
    dtype, rows, hidden = shape(case)
    types = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
    x = torch.randn(rows, hidden, dtype=types[dtype], device=device)
    weight = torch.randn(hidden, dtype=types[dtype], device=device)
    moved = 2 * x.numel() * x.element_size() + weight.numel() * weight.element_size()
    for peer, norm in variants(torch, hidden):
        ms = timer.median_ms(lambda norm=norm: norm(x, weight))
        timing.emit({"name": case, "peer": peer, "version": torch.__version__, "median_ms": ms, "bytes": moved,
                     "gb_per_s": round(moved / ms / 1e6, 1)})


def main():
    options = timing.PeerParser("rms_norm_torch.py", __doc__, CASES).parse()
    torch = timing.require_torch("rms_norm_torch.py", options.device)
    timer = timing.timer(torch, options.device, options.repeats)
    with torch.inference_mode():
        for case in filter(shape, options.case):
            measure(torch, timer, options.device, case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
