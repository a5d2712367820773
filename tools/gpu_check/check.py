"""The steps of tools/gpu-check, in their order."""

import dataclasses
import datetime
import json
import pathlib

from . import benchmarks
from . import device as devices
from . import programs
from . import records

EXIT_OK, EXIT_FAILED, EXIT_NO_DEVICE = 0, 2, 5


@dataclasses.dataclass(frozen=True)
class Plan:
    """What was asked for."""

    portable: programs.Portable
    results: pathlib.Path
    peers: pathlib.Path
    work: pathlib.Path  # caches and logs; may be deleted afterwards
    sanitizers: tuple = ()
    with_tests: bool = True
    with_benchmarks: bool = True
    ops: tuple = benchmarks.OPS


def run_tests(plan, variables):
    """All kernel tests on the GPU: (summary, rows of the report)."""
    report = plan.work / "report.jsonl"
    report.unlink(missing_ok=True)
    test = variables | {"LATHE_TEST_TARGETS": "cuda", "LATHE_TEST_REPORT": str(report)}
    done = programs.run([plan.portable.kernel_tests], test, plan.work / "kernel_tests.log")
    rows = [row for row in records.read_report(report) if row["target"].startswith("cuda:")]
    failed = sorted({row["spec"] for row in rows if row["passed"] is not True})
    programs.say(f"kernel tests: exit {done.code}, {len(rows)} runs of {len(records.by_kernel(rows))} kernels")
    if done.code != 0 or not rows:
        programs.say(done.tail)
    # No rows means that no kernel ran on the device, whatever the exit code says.
    return {"passed": done.code == 0 and bool(rows) and not failed, "exit": done.code, "runs": len(rows),
            "failed": failed}, rows


def run_sanitizers(plan, variables):
    """{tool: passed}; a tool that cannot be run has not passed."""
    outcome = {}
    program = programs.find_sanitizer()
    for tool in plan.sanitizers:
        if program is None:
            programs.say(f"{tool}: compute-sanitizer is neither on PATH nor in /usr/local/cuda/bin")
            outcome[tool] = False
            continue
        command = [program, "--tool", tool, "--error-exitcode", "9", plan.portable.kernel_tests]
        test = variables | {"LATHE_TEST_TARGETS": "cuda"}
        done = programs.run(command, test, plan.work / f"{tool}.log")
        programs.say(f"{tool}: {'clean' if done.code == 0 else done.tail}")
        outcome[tool] = done.code == 0
    return outcome


def measure_ceilings(plan, bench, driver, device):
    """What the device can do, before anything is compared with it."""
    ceilings = {"copy_gb_per_s": round(devices.copy_gb_per_s(driver, device), 1)}
    for row in benchmarks.run_peer(bench, plan.peers / "ceilings_torch.py"):
        ceilings[row["name"]] = row["value"]
    for name, value in ceilings.items():
        programs.say(f"ceiling {name}: {value}")
    return ceilings


def update_verified(path, rows, run):
    old = json.loads(path.read_text()) if path.exists() else {}
    records.write_json(path, records.merge_verified(old, rows, run))


def check(plan, driver, device):
    """Does what the plan asks for, writes the results, and gives the exit code."""
    plan.work.mkdir(parents=True, exist_ok=True)
    variables = programs.environment(plan.portable, device, plan.work)
    doctor = programs.doctor(plan.portable, variables, plan.work / "doctor.log")
    run = {"device": device.name, "driver": device.driver, "nvrtc": programs.find_value(doctor, "nvrtc"),
           "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
           "revision": plan.portable.revision()}
    programs.say(f"{device.name} ({device.arch}), driver {device.driver}, NVRTC {run['nvrtc']}, revision {run['revision']}")

    results = {"format": records.FORMAT, "run": run, "device": dataclasses.asdict(device)}
    good = True
    if plan.with_tests:
        results["tests"], rows = run_tests(plan, variables)
        update_verified(plan.results / "verified.json", rows, run)
        good = results["tests"]["passed"]
    if plan.sanitizers:
        results["sanitizers"] = run_sanitizers(plan, variables)
        good = good and all(results["sanitizers"].values())
    if plan.with_benchmarks:
        bench = benchmarks.Bench(plan.portable.lathe, plan.peers, plan.work, variables, "cuda")
        results["ceilings"] = measure_ceilings(plan, bench, driver, device)
        results["benchmarks"] = benchmarks.run(bench, plan.ops)
        good = good and results["benchmarks"]["passed"]
    path = plan.results / records.results_name(device.name, run["date"])
    records.write_json(path, results)
    programs.say(f"wrote {path}")
    return EXIT_OK if good else EXIT_FAILED
