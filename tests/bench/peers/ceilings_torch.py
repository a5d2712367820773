#!/usr/bin/env python3
"""What the device can do at best: {"name", "value"} per line. Copy in GB/s (read and written), GEMM in TFLOP/s."""

import sys

import timing


def parse():
    parser = timing.Parser(prog="ceilings_torch.py", description=__doc__)
    parser.add_argument("--gemm-size", type=int, default=8192, help="rows and columns (default: %(default)s)")
    parser.add_argument("--copy-mib", type=int, default=1024, help="size of the copy (default: %(default)s)")
    return parser.parse_args()


def main():
    options = parse()
    torch = timing.require_torch("ceilings_torch.py")
    timer = timing.ColdTimer(torch, repeats=20)

    source = torch.randint(0, 255, (options.copy_mib << 20,), dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    ms = timer.median_ms(lambda: target.copy_(source))
    timing.emit({"name": "torch_copy_gb_per_s", "value": round(2 * source.numel() / ms / 1e6, 1)})
    del source, target

    size = options.gemm_size
    # Random data: zeros draw less power and give a rate that no real matrix reaches.
    a = torch.randn(size, size, dtype=torch.bfloat16, device="cuda")
    b = torch.randn(size, size, dtype=torch.bfloat16, device="cuda")
    c = torch.empty_like(a)
    ms = timer.median_ms(lambda: torch.mm(a, b, out=c))
    timing.emit({"name": "gemm_bf16_tflop_per_s", "value": round(2 * size**3 / ms / 1e9, 1)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
