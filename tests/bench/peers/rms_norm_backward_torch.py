#!/usr/bin/env python3
"""The backward pass of PyTorch's rms_norm, eager and compiled: one JSON object per case and variant, with the fields of
`lathe bench`. Both gradients, by autograd; the forward pass is not timed."""

import re
import sys

import timing

CASES = ["rms_norm_backward bf16 8192x4096"]


def shape(case):
    """ "rms_norm_backward bf16 8192x4096" -> ("bf16", 8192, 4096); None for other names."""
    match = re.fullmatch(r"rms_norm_backward (bf16|f16|f32) ([1-9]\d*)x([1-9]\d*)", case)
    return match and (match.group(1), int(match.group(2)), int(match.group(3)))


def variants(torch, hidden):
    """(name, function of x and weight)."""

    def norm(x, weight):
        return torch.nn.functional.rms_norm(x, (hidden,), weight, 1e-6)

    yield "torch eager", norm
    torch._dynamo.reset()
    torch._functorch.config.donated_buffer = False  # the same forward pass is gone back through many times
    yield "torch compile", torch.compile(norm, dynamic=False, fullgraph=True)


def measure(torch, timer, device, case):
    dtype, rows, hidden = shape(case)
    types = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
    x = torch.randn(rows, hidden, dtype=types[dtype], device=device, requires_grad=True)
    weight = torch.randn(hidden, dtype=types[dtype], device=device, requires_grad=True)
    dy = torch.randn(rows, hidden, dtype=types[dtype], device=device)
    moved = 3 * x.numel() * x.element_size() + 2 * weight.numel() * weight.element_size() + 4 * rows
    for peer, norm in variants(torch, hidden):
        y = norm(x, weight)
        ms = timer.median_ms(lambda y=y: torch.autograd.grad(y, (x, weight), dy, retain_graph=True))
        timing.emit({"name": case, "peer": peer, "version": torch.__version__, "median_ms": ms, "bytes": moved,
                     "gb_per_s": round(moved / ms / 1e6, 1)})


def main():
    options = timing.PeerParser("rms_norm_backward_torch.py", __doc__, CASES).parse()
    torch = timing.require_torch("rms_norm_backward_torch.py", options.device)
    timer = timing.timer(torch, options.device, options.repeats)
    for case in filter(shape, options.case):
        measure(torch, timer, options.device, case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
