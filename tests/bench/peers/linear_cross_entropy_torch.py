#!/usr/bin/env python3
"""PyTorch's matrix product and cross_entropy, eager and compiled: one JSON object per case and variant, with the
fields of `lathe bench`. With gradients, by autograd, or the loss alone; all logits are stored."""

import re
import sys

import timing

CASES = ["linear_cross_entropy gradient_in_forward bf16 4096x4096x128256",
         "linear_cross_entropy forward_only bf16 4096x4096x128256"]


def shape(case):
    """ "linear_cross_entropy forward_only bf16 4096x4096x128256" -> ("forward_only", "bf16", 4096, 4096, 128256): mode,
    dtype, tokens, hidden size, classes; None for other names."""
    match = re.fullmatch(r"linear_cross_entropy (forward_only|gradient_in_forward) (bf16|f16|f32) "
                         r"([1-9]\d*)x([1-9]\d*)x([1-9]\d*)", case)
    return match and (match.group(1), match.group(2), *(int(number) for number in match.groups()[2:]))


def variants(torch):
    """(name, function of hidden, weight and targets)."""

    def loss(hidden, weight, targets):
        return torch.nn.functional.cross_entropy((hidden @ weight.t()).float(), targets)

    yield "torch eager", loss
    torch._dynamo.reset()
    yield "torch compile", torch.compile(loss, dynamic=False, fullgraph=True)


def work_of(torch, mode, loss, tensors):
    """What is timed."""
    hidden, weight, targets = tensors
    if mode == "forward_only":
        return lambda: loss(hidden.detach(), weight.detach(), targets)
    return lambda: torch.autograd.grad(loss(hidden, weight, targets), (hidden, weight))


def measure(torch, timer, device, case):
    mode, dtype, tokens, size, classes = shape(case)
    types = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
    hidden = torch.randn(tokens, size, dtype=types[dtype], device=device, requires_grad=True)
    # Logits with a standard deviation of 2.
    weight = torch.randn(classes, size, dtype=types[dtype], device=device).mul_(2 / size**0.5).requires_grad_()
    targets = torch.randint(classes, (tokens,), device=device)
    flop = 2 * tokens * size * classes * (1 if mode == "forward_only" else 3)
    for peer, loss in variants(torch):
        ms = timer.median_ms(work_of(torch, mode, loss, (hidden, weight, targets)))
        timing.emit({"name": case, "peer": peer, "version": torch.__version__, "median_ms": ms, "flop": flop,
                     "tflop_per_s": round(flop / ms / 1e9, 1)})


def main():
    options = timing.PeerParser("linear_cross_entropy_torch.py", __doc__, CASES).parse()
    torch = timing.require_torch("linear_cross_entropy_torch.py", options.device)
    timer = timing.timer(torch, options.device, options.repeats)
    for case in filter(shape, options.case):
        measure(torch, timer, options.device, case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
