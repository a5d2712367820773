#!/usr/bin/env python3
"""PyTorch's rms_norm, eager and compiled: one JSON object per shape and variant, with the fields of `lathe bench`."""

import argparse
import re
import sys

import timing

DEFAULT_SHAPES = ["bf16:8192x4096", "bf16:16384x8192", "bf16:65536x128", "f32:8192x4096"]


def shape(text):
    """ "bf16:8192x4096" -> ("bf16", 8192, 4096)."""
    match = re.fullmatch(r"(bf16|f16|f32):([1-9]\d*)x([1-9]\d*)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"expected DTYPE:ROWSxHIDDEN such as bf16:8192x4096, got {text!r}")
    return match.group(1), int(match.group(2)), int(match.group(3))


def parse():
    parser = timing.Parser(prog="rms_norm_torch.py", description=__doc__)
    parser.add_argument("--shape", type=shape, action="append", help="DTYPE:ROWSxHIDDEN; may be given several times")
    parser.add_argument("--repeats", type=int, default=50, help="timed calls per variant (default: %(default)s)")
    options = parser.parse_args()
    options.shape = options.shape or [shape(text) for text in DEFAULT_SHAPES]
    return options


def variants(torch, hidden):
    """(name, function of x and weight). Each shape is compiled for itself, as Lathe compiles it."""

    def norm(x, weight):
        return torch.nn.functional.rms_norm(x, (hidden,), weight, 1e-6)

    yield "torch eager", norm
    torch._dynamo.reset()  # or the limit of recompiles would turn later shapes back to eager
    yield "torch compile", torch.compile(norm, dynamic=False, fullgraph=True)


def measure(torch, timer, dtype, rows, hidden):
    types = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
    x = torch.randn(rows, hidden, dtype=types[dtype], device="cuda")
    weight = torch.randn(hidden, dtype=types[dtype], device="cuda")
    moved = 2 * x.numel() * x.element_size() + weight.numel() * weight.element_size()
    for peer, norm in variants(torch, hidden):
        ms = timer.median_ms(lambda norm=norm: norm(x, weight))
        timing.emit({"name": f"rms_norm {dtype} {rows}x{hidden}", "peer": peer, "version": torch.__version__,
                     "median_ms": ms, "bytes": moved, "gb_per_s": round(moved / ms / 1e6, 1)})


def main():
    options = parse()
    torch = timing.require_torch("rms_norm_torch.py")
    timer = timing.ColdTimer(torch, repeats=options.repeats)
    with torch.inference_mode():
        for dtype, rows, hidden in options.shape:
            measure(torch, timer, dtype, rows, hidden)
    return 0


if __name__ == "__main__":
    sys.exit(main())
