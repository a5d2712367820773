#!/usr/bin/env python3
"""Rotary embedding as models write it in PyTorch, eager and compiled: one JSON object per case and variant, with
the fields of `lathe bench`. Cosines and sines are made beforehand, which Lathe's kernel computes as it goes."""

import re
import sys

import timing

CASES = ["rope bf16 8192 tokens, 32/8 heads x 128, half", "rope bf16 8192 tokens, 32/8 heads x 128, interleaved"]


def sizes(case):
    """(tokens, query heads, key heads, head dim, pairing) of a name as in CASES; None for other names."""
    match = re.fullmatch(r"rope bf16 (\d+) tokens, (\d+)/(\d+) heads x (\d+), (half|interleaved)", case)
    return match and (*(int(number) for number in match.groups()[:4]), match.group(5))


def table(torch, tokens, dim, pairing, device):
    """Cosines and sines [tokens, 1, dim], each at both elements of its pair."""
    frequency = 1e4 ** (-torch.arange(0, dim, 2, device=device, dtype=torch.float64) / dim)
    angle = torch.outer(torch.arange(tokens, device=device, dtype=torch.float64), frequency)
    angle = torch.cat([angle, angle], -1) if pairing == "half" else angle.repeat_interleave(2, -1)
    return angle.cos()[:, None].bfloat16(), angle.sin()[:, None].bfloat16()


def rotation(torch, pairing):
    """Function of q, k, cosines and sines, giving q and k rotated."""

    def turned(x):
        if pairing == "half":
            first, second = x.chunk(2, -1)
            return torch.cat([-second, first], -1)
        return torch.stack([-x[..., 1::2], x[..., ::2]], -1).flatten(-2)

    def rotate(q, k, cos, sin):
        return q * cos + turned(q) * sin, k * cos + turned(k) * sin

    return rotate


def measure(torch, timer, device, case):
    tokens, heads, kv_heads, dim, pairing = sizes(case)
    q = torch.randn(tokens, heads, dim, dtype=torch.bfloat16, device=device)
    k = torch.randn(tokens, kv_heads, dim, dtype=torch.bfloat16, device=device)
    cos, sin = table(torch, tokens, dim, pairing, device)
    rotate = rotation(torch, pairing)
    torch._dynamo.reset()  # or the limit of recompiles would turn later shapes back to eager
    moved = 2 * (q.numel() + k.numel()) * q.element_size() + 2 * cos.numel() * cos.element_size()
    for peer, call in (("torch eager", rotate), ("torch compile", torch.compile(rotate, dynamic=False, fullgraph=True))):
        ms = timer.median_ms(lambda call=call: call(q, k, cos, sin))
        timing.emit({"name": case, "peer": peer, "version": torch.__version__, "median_ms": ms, "bytes": moved,
                     "gb_per_s": round(moved / ms / 1e6, 1)})


def main():
    options = timing.PeerParser("rope_torch.py", __doc__, CASES).parse()
    torch = timing.require_torch("rope_torch.py", options.device)
    timer = timing.timer(torch, options.device, options.repeats)
    with torch.inference_mode():
        for case in filter(sizes, options.case):
            measure(torch, timer, options.device, case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
