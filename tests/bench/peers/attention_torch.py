#!/usr/bin/env python3
"""PyTorch's scaled_dot_product_attention: one JSON object per case and variant, with the fields of `lathe bench`.

Keys and values of a head lie in one piece, as PyTorch likes them best, whatever pages Lathe reads them from. On GPUs
its backends are measured one by one, as far as they take the case.
"""

import contextlib
import re
import sys

import timing

CASES = ["attention bf16 32/8 heads x 128, prefill 1x2048", "attention bf16 32/8 heads x 128, decode 16x4096, pages of 16"]
GPU_BACKENDS = {"flash": "FLASH_ATTENTION", "cudnn": "CUDNN_ATTENTION"}


def sizes(case):
    """(query heads, key heads, head dim, requests, queries, keys, causal) of a name as in CASES; None for others."""
    match = re.fullmatch(r"attention bf16 (\d+)/(\d+) heads x (\d+), (prefill|decode) (\d+)x(\d+)"
                         r"(, pages of \d+|, full)?", case)
    if not match:
        return None
    heads, kv_heads, dim, requests, keys = (int(match.group(i)) for i in (1, 2, 3, 5, 6))
    # Decoding sees all keys.
    causal = match.group(4) == "prefill" and match.group(7) != ", full"
    return heads, kv_heads, dim, requests, keys if match.group(4) == "prefill" else 1, keys, causal


def variants(torch, q, k, v, causal):
    """(name, function without arguments), one per way to share keys between heads."""
    attention = torch.nn.functional.scaled_dot_product_attention
    group = q.shape[1] // k.shape[1]
    wide_k, wide_v = (tensor.repeat_interleave(group, 1) for tensor in (k, v))
    yield "torch sdpa", lambda: attention(q, k, v, is_causal=causal, enable_gqa=True)
    yield "torch sdpa, keys repeated", lambda: attention(q, wide_k, wide_v, is_causal=causal)


def backends(torch, device):
    """(what the peer's name ends in, function that gives a choice of the backend, to be entered)."""
    if device == "cpu":
        return [("", contextlib.nullcontext)]
    from torch.nn.attention import SDPBackend, sdpa_kernel
    return [(f", {name}", lambda member=member: sdpa_kernel(getattr(SDPBackend, member)))
            for name, member in GPU_BACKENDS.items() if hasattr(SDPBackend, member)]


def measure(torch, timer, device, case):
    heads, kv_heads, dim, requests, queries, keys, causal = sizes(case)
    q = torch.randn(requests, heads, queries, dim, dtype=torch.bfloat16, device=device)
    k, v = (torch.randn(requests, kv_heads, keys, dim, dtype=torch.bfloat16, device=device) for _ in range(2))
    for suffix, chosen in backends(torch, device):
        for peer, call in variants(torch, q, k, v, causal):
            try:
                with chosen():
                    ms = timer.median_ms(call)
            except RuntimeError as error:
                sys.stderr.write(f"{case}: {peer}{suffix}: {str(error).strip().splitlines()[0]}\n")
                continue
            timing.emit({"name": case, "peer": peer + suffix, "version": torch.__version__, "median_ms": ms})


def main():
    options = timing.PeerParser("attention_torch.py", __doc__, CASES).parse()
    torch = timing.require_torch("attention_torch.py", options.device)
    # On CPUs a call takes some hundred milliseconds.
    timer = timing.timer(torch, options.device, options.repeats if options.device == "cuda" else min(options.repeats, 7))
    with torch.inference_mode():
        for case in filter(sizes, options.case):
            measure(torch, timer, options.device, case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
