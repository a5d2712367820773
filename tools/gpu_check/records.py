"""The files under tests/bench/results/. Pure functions on plain data.

verified.json: {"format": 1, "kernels": [{"source_digest", "op", "spec", "target", "runs": [RUN]}]}, sorted, where
a RUN is {"device", "driver", "nvrtc", "date", "revision"}: the latest run on that device in which every test of
this kernel passed. `source_digest` is of the rendered source, so a changed template has no record until it runs
again.
"""

import json
import re

FORMAT = 1


def read_report(path):
    """Rows of the kernel tests' LATHE_TEST_REPORT. A torn last line, left by a crash, is not a row."""
    rows = []
    if not path.exists():
        return rows
    for line in path.read_text().splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if {"op", "spec", "target", "source_digest", "passed"} <= row.keys():
            rows.append(row)
    return rows


def by_kernel(rows):
    """One row per kernel; it passed if all its tests did."""
    kernels = {}
    for row in rows:
        key = (row["source_digest"], row["target"])
        known = kernels.setdefault(key, {**row, "passed": True})
        known["passed"] = known["passed"] and row["passed"] is True
    return list(kernels.values())


def merge_verified(old, rows, run):
    """The new content of verified.json. A kernel that failed loses its record for this device."""
    if old.get("format") != FORMAT:  # nothing, or the work of another version
        old = {"kernels": []}
    kernels = {(k["source_digest"], k["target"]): dict(k) for k in old["kernels"]}
    for row in by_kernel(rows):
        key = (row["source_digest"], row["target"])
        entry = kernels.get(key, {name: row[name] for name in ("source_digest", "op", "spec", "target")} | {"runs": []})
        runs = [known for known in entry["runs"] if known["device"] != run["device"]]
        if row["passed"]:
            runs.append(run)
        entry["runs"] = sorted(runs, key=lambda known: known["device"])
        kernels[key] = entry
    kept = [kernel for kernel in kernels.values() if kernel["runs"]]
    kept.sort(key=lambda kernel: (kernel["op"], kernel["spec"], kernel["target"], kernel["source_digest"]))
    return {"format": FORMAT, "kernels": kept}


def results_name(device, date):
    """ "NVIDIA H200", "2026-03-01T..." -> "nvidia-h200-2026-03-01.json"."""
    return re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-") + f"-{date[:10]}.json"


def comparison(benchmarks, peers):
    """One line per benchmark and peer of the same name: how many times as fast as the peer Lathe is."""
    return [{"name": ours["name"], "peer": peer["peer"], "median_ms": ours["median_ms"],
             "peer_median_ms": peer["median_ms"], "times_as_fast": round(peer["median_ms"] / ours["median_ms"], 3)}
            for ours in benchmarks for peer in peers if peer["name"] == ours["name"]]


def write_json(path, tree):
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(tree, indent=1) + "\n")
    fresh.replace(path)  # a reader sees the old file or the new one
