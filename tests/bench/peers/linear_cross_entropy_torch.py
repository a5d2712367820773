#!/usr/bin/env python3
"""PyTorch's linear and cross_entropy, eager and compiled: one JSON object per case and variant, with the fields of
`lathe bench`. With gradients, by autograd, or the loss alone; all logits are stored. On a CPU also the most memory that
a call allocated, gradients included."""

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

    def rounded(hidden, weight, targets):
        return torch.nn.functional.cross_entropy(torch.nn.functional.linear(hidden, weight), targets)

    def loss(hidden, weight, targets):
        return torch.nn.functional.cross_entropy((hidden @ weight.t()).float(), targets)

    yield "torch eager, rounded logits", rounded
    yield "torch eager", loss
    torch._dynamo.reset()
    yield "torch compile", torch.compile(loss, dynamic=False, fullgraph=True)


def work_of(torch, mode, loss, tensors):
    """What is timed."""
    hidden, weight, targets = tensors
    if mode == "forward_only":
        return lambda: loss(hidden.detach(), weight.detach(), targets)
    return lambda: torch.autograd.grad(loss(hidden, weight, targets), (hidden, weight))


def peak_bytes(torch, work):
    """The most memory that tensors made by the work held at a time, by the profiler's record of allocations."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    held = most = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def measure(torch, timer, device, case):
    mode, dtype, tokens, size, classes = shape(case)
    types = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
    hidden = torch.randn(tokens, size, dtype=types[dtype], device=device, requires_grad=True)
    # Logits with a standard deviation of 2.
    weight = torch.randn(classes, size, dtype=types[dtype], device=device).mul_(2 / size**0.5).requires_grad_()
    targets = torch.randint(classes, (tokens,), device=device)
    flop = 2 * tokens * size * classes * (1 if mode == "forward_only" else 3)
    for peer, loss in variants(torch):
        work = work_of(torch, mode, loss, (hidden, weight, targets))
        row = {"name": case, "peer": peer, "version": torch.__version__, "median_ms": timer.median_ms(work),
               "flop": flop}
        if device == "cpu":
            row["peak_bytes"] = peak_bytes(torch, work)
        timing.emit(row | {"tflop_per_s": round(flop / row["median_ms"] / 1e9, 2)})


def main():
    options = timing.PeerParser("linear_cross_entropy_torch.py", __doc__, CASES).parse()
    torch = timing.require_torch("linear_cross_entropy_torch.py", options.device)
    timer = timing.timer(torch, options.device, options.repeats)
    for case in filter(shape, options.case):
        measure(torch, timer, options.device, case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
