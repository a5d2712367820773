"""What the PyTorch peers share: arguments, the device or a clean refusal, and timing."""

import argparse
import json
import statistics
import sys
import time

EXIT_USAGE, EXIT_NO_DEVICE = 1, 5


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


class PeerParser(Parser):
    """The arguments that every peer of an op takes."""

    def __init__(self, prog, description, cases):
        super().__init__(prog=prog, description=description)
        self.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="default: %(default)s")
        self.add_argument("--case", action="append", help="a benchmark of `lathe bench`, by its name; may be given "
                          f"several times, and what is unknown is left out (default: {', '.join(cases)})")
        self.add_argument("--repeats", type=int, default=50, help="timed calls per variant (default: %(default)s)")
        self._cases = cases

    def parse(self):
        options = self.parse_args()
        options.case = options.case or self._cases
        return options


def require_torch(program, device="cuda"):
    """PyTorch that can use the device. Without: a sentence and exit 5."""
    try:
        import torch
    except ImportError:
        sys.stderr.write(f"{program}: PyTorch is not installed, so there is nothing to compare with.\n")
        sys.exit(EXIT_NO_DEVICE)
    if device == "cuda" and not torch.cuda.is_available():
        sys.stderr.write(f"{program}: PyTorch finds no CUDA device.\n")
        sys.exit(EXIT_NO_DEVICE)
    return torch


class ColdTimer:
    """Device time of single calls with a cold L2 cache.

    Before each call a buffer larger than the cache is overwritten. That also keeps the device busy while the host
    launches the call, so that launch overhead is not counted.
    """

    def __init__(self, torch, repeats=50, warm_up=10):
        self._torch = torch
        self._repeats = repeats
        self._warm_up = warm_up
        l2_bytes = torch.cuda.get_device_properties(0).L2_cache_size
        self._flush = torch.empty(max(4 * l2_bytes, 512 << 20), dtype=torch.uint8, device="cuda")

    def median_ms(self, work):
        torch = self._torch
        for _ in range(self._warm_up):
            work()
        events = []
        for _ in range(self._repeats):
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            self._flush.zero_()
            start.record()
            work()
            end.record()
            events.append((start, end))
        torch.cuda.synchronize()
        return statistics.median(start.elapsed_time(end) for start, end in events)


class HostTimer:
    """Wall time of single calls on the CPU, after some that are not counted."""

    def __init__(self, repeats=50, warm_up=3):
        self._repeats = repeats
        self._warm_up = warm_up

    def median_ms(self, work):
        times = []
        for round_ in range(-self._warm_up, self._repeats):
            begin = time.perf_counter()
            work()
            if round_ >= 0:
                times.append((time.perf_counter() - begin) * 1e3)
        return statistics.median(times)


def timer(torch, device, repeats):
    return ColdTimer(torch, repeats) if device == "cuda" else HostTimer(repeats)


def emit(row):
    """One JSON object on one line of standard output."""
    print(json.dumps(row), flush=True)
