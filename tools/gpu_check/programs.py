"""Running the portable programs and reading what they print."""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys


def say(text):
    print(text, flush=True)


@dataclasses.dataclass(frozen=True)
class Portable:
    """A folder made by tools/pack-portable."""

    root: pathlib.Path

    @property
    def lathe(self):
        return self.root / "bin" / "lathe"

    @property
    def kernel_tests(self):
        return self.root / "bin" / "kernel_tests"

    @property
    def cache(self):
        return self.root / "cache"

    def missing(self):
        return [str(path) for path in (self.lathe, self.kernel_tests) if not os.access(path, os.X_OK)]

    def revision(self):
        """Git revision of the programs, or "unknown"; "-dirty" at its end where files were changed."""
        file = self.root / "revision"
        return file.read_text().strip() if file.exists() else "unknown"


def environment(portable, device, work):
    """Kernels come from the folder's cache first; what it lacks is compiled into `work`, and nothing else of
    the machine is touched."""
    variables = dict(os.environ)
    variables["LATHE_CACHE_DIR"] = str(work / "cache")
    variables["LATHE_CACHE_READ_ONLY_DIRS"] = str(portable.cache)
    variables["PYTHONDONTWRITEBYTECODE"] = "1"
    visible = variables.get("CUDA_VISIBLE_DEVICES")
    variables["CUDA_VISIBLE_DEVICES"] = visible.split(",")[device.ordinal] if visible else str(device.ordinal)
    nvrtc = find_nvrtc()
    if nvrtc and "LATHE_NVRTC" not in variables:
        variables["LATHE_NVRTC"] = nvrtc
    return variables


def find_nvrtc():
    """The NVRTC of a pip-installed CUDA, as it comes with PyTorch; None where there is none."""
    found = []
    for folder in map(pathlib.Path, sys.path):
        found += sorted(folder.glob("nvidia/*/lib/libnvrtc.so.[0-9]*"))
    return str(found[-1]) if found else None


@dataclasses.dataclass(frozen=True)
class Run:
    """How a program ended. `lines` are the JSON objects among the lines of its standard output."""

    command: list
    code: int
    lines: list
    tail: str


def run(command, variables, log):
    """Runs a program with its output in `log`. A program that cannot be started ends with code 127."""
    command = [str(part) for part in command]
    try:
        done = subprocess.run(command, env=variables, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        return Run(command, 127, [], str(error))
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("$ " + " ".join(command) + "\n" + done.stdout + done.stderr)
    return Run(command, done.returncode, json_lines(done.stdout), (done.stdout + done.stderr)[-2000:])


def json_lines(text):
    """The objects among the lines; programs may print other things in between."""
    objects = []
    for line in text.splitlines():
        if line.lstrip().startswith("{"):
            try:
                objects.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return objects


def find_value(tree, name):
    """The first text or number stored under a name, or under "version" below it, anywhere in a JSON tree; None
    where there is none."""
    if isinstance(tree, dict):
        value = tree.get(name)
        value = value.get("version") if isinstance(value, dict) else value
        if isinstance(value, (str, int, float)):
            return value
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            value = find_value(branch, name)
            if value is not None:
                return value
    return None


def doctor(portable, variables, log):
    """`lathe doctor --json` as a tree, or None. It may report problems and still be read."""
    done = subprocess.run([str(portable.lathe), "doctor", "--json"], env=variables, capture_output=True, text=True,
                          errors="replace", check=False)
    log.write_text(done.stdout + done.stderr)
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        return None


def find_sanitizer():
    return shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")
