"""`lathe bench` and the peers of each op, in the same session of the same device."""

import dataclasses
import pathlib
import sys

from . import programs
from . import records

OPS = ("rms_norm", "rope", "kv", "attention", "linear_cross_entropy")


@dataclasses.dataclass(frozen=True)
class Bench:
    """Where to measure, and with what."""

    lathe: pathlib.Path
    peers: pathlib.Path
    work: pathlib.Path
    variables: dict
    device: str  # "cuda" or "cpu"
    python: str = sys.executable


def run_peer(bench, script, arguments=()):
    """Rows that a peer printed. A peer that is not installed leaves none, and says so."""
    done = programs.run([bench.python, script, *arguments], bench.variables, bench.work / f"{script.name}.log")
    if done.code != 0:
        programs.say(f"{script.name}: skipped (exit {done.code}): {done.tail.strip().splitlines()[-1:]}")
        return []
    return done.lines


def run_op(bench, op):
    """(passed, Lathe's rows, the peers' rows). A peer gets the names of Lathe's rows and measures those it knows."""
    done = programs.run([bench.lathe, "bench", op, "--target", bench.device, "--json"], bench.variables,
                        bench.work / f"bench_{op}.log")
    ours = [row for row in done.lines if "median_ms" in row]
    if done.code != 0 or not ours:
        programs.say(f"lathe bench {op}: exit {done.code}\n{done.tail}")
    cases = [f"--case={row['name']}" for row in ours]
    theirs = []
    for script in sorted(bench.peers.glob(f"{op}_*.py")):
        theirs += run_peer(bench, script, [f"--device={bench.device}", *cases])
    return done.code == 0 and bool(ours), ours, theirs


def run(bench, ops=OPS):
    """All ops: {"passed", "lathe", "peers", "comparison"}."""
    passed, ours, theirs = True, [], []
    for op in ops:
        good, rows, peers = run_op(bench, op)
        passed = passed and good
        ours += rows
        theirs += peers
    compared = records.comparison(ours, theirs)
    for line in compared:
        programs.say(f"{line['name']}: {line['median_ms']:.4f} ms, {line['times_as_fast']:.2f}x {line['peer']}")
    return {"passed": passed, "lathe": ours, "peers": theirs, "comparison": compared}
