#!/usr/bin/env python3
"""Rows of a key-value cache gathered and scattered by PyTorch: index_select and index_copy_ on a flat view of the
cache, whose indices are made beforehand, and one call per layer and plane. One JSON object per case and variant, with
the fields of `lathe bench`."""

import re
import sys

import timing

HEADS, HEAD, BLOCK, LATENT = 8, 128, 16, 576
CASES = [f"{op} {preset} bf16 4096 tokens, 4 layers" for preset in ("flash_nhd-2ltd", "flashinfer_hnd-2ltd", "mla-rows")
         for op in ("kv_gather", "kv_scatter")]


def sizes(case):
    """(is a gather, preset, tokens, layers) of a name as in CASES; None for other names."""
    match = re.fullmatch(r"kv_(gather|scatter) (flash_nhd-2ltd|flashinfer_hnd-2ltd|mla-rows) bf16 (\d+) tokens, (\d+) layers",
                         case)
    return match and (match.group(1) == "gather", match.group(2), int(match.group(3)), int(match.group(4)))


def rows_of(torch, preset, layers, slots, tokens):
    """(elements of a row, rows of the cache per layer, [planes, rows of the object]: which row of the cache)."""
    if preset == "mla-rows":
        return LATENT, slots, tokens[None]
    if preset == "flash_nhd-2ltd":  # [2, slots, heads x head]
        return HEADS * HEAD, 2 * slots, torch.stack([tokens, slots + tokens])
    # [blocks, 2, heads, block, head]
    plane = torch.arange(2, device=tokens.device)[:, None, None]
    head = torch.arange(HEADS, device=tokens.device)
    block, offset = tokens[:, None] // BLOCK, tokens[:, None] % BLOCK
    return HEAD, 2 * slots * HEADS, (((block * 2 + plane) * HEADS + head) * BLOCK + offset).flatten(1)


def variants(torch, device, case):
    """{name: function} and the bytes that each reads and writes."""
    gathers, preset, count, layers = sizes(case)
    tokens = torch.randperm(2 * count, device=device)[:count]
    width, per_layer, index = rows_of(torch, preset, layers, 2 * count, tokens)
    planes = len(index)
    cache = torch.ones(layers, per_layer, width, dtype=torch.bfloat16, device=device)
    whole = torch.ones(planes, layers, index.shape[1], width, dtype=torch.bfloat16, device=device)
    everywhere = (index[:, None] + per_layer * torch.arange(layers, device=device)[:, None]).flatten()
    flat_cache, flat_whole = cache.view(-1, width), whole.view(-1, width)
    pairs = [(layer, plane) for layer in range(layers) for plane in range(planes)]

    def gather_parts():
        for layer, plane in pairs:
            torch.index_select(cache[layer], 0, index[plane], out=whole[plane, layer])

    def scatter_parts():
        for layer, plane in pairs:
            cache[layer].index_copy_(0, index[plane], whole[plane, layer])

    moved = 2 * whole.numel() * whole.element_size()
    if gathers:
        return {"torch index_select": lambda: torch.index_select(flat_cache, 0, everywhere, out=flat_whole),
                "torch index_select per layer": gather_parts}, moved
    return {"torch index_copy_": lambda: flat_cache.index_copy_(0, everywhere, flat_whole),
            "torch index_copy_ per layer": scatter_parts}, moved


def main():
    options = timing.PeerParser("kv_torch.py", __doc__, CASES).parse()
    torch = timing.require_torch("kv_torch.py", options.device)
    timer = timing.timer(torch, options.device, options.repeats)
    with torch.inference_mode():
        for case in filter(sizes, options.case):
            calls, moved = variants(torch, options.device, case)
            for peer, call in calls.items():
                ms = timer.median_ms(call)
                timing.emit({"name": case, "peer": peer, "version": torch.__version__, "median_ms": ms, "bytes": moved,
                             "gb_per_s": round(moved / ms / 1e6, 1)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
