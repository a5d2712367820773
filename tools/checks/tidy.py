#!/usr/bin/env python3
"""clang-tidy finds nothing. Files that have not changed since they were found clean are not looked at again.

usage: tidy.py ROOT BUILD

A file counts as unchanged if it, every header of ours that it includes, its .clang-tidy files and the program are the same. Exits with 77
where there is no clang-tidy of the version meant.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import tree

VERSION = "19"
FOLDERS = ("runtime", "codegen", "cache", "tools")


def headers_of(root, path, seen):
    """Adds to `seen` every file of ours that `path` includes, directly or not."""
    for _, name in tree.includes((root / path).read_text(encoding="utf-8")):
        for candidate in (pathlib.Path(name), pathlib.Path("runtime/include") / name):
            if candidate not in seen and (root / candidate).is_file():
                seen.add(candidate)
                headers_of(root, candidate, seen)
    return seen


def fingerprint(root, path, program):
    digest = hashlib.sha256(program.encode())
    settings = [folder / ".clang-tidy" for folder in path.parents if (root / folder / ".clang-tidy").is_file()]
    for file in [*settings, path, *sorted(headers_of(root, path, set()))]:
        digest.update(str(file).encode() + b"\0" + (root / file).read_bytes())
    return digest.hexdigest()


def compiled_files(root, build):
    """Those of our sources that this build compiles, relative to root."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        if path.is_relative_to(root) and path.relative_to(root).parts[0] in FOLDERS:
            yield path.relative_to(root)


def check(root, build, program, path):
    # The flags are those of whatever compiler builds; not all of GCC's are Clang's.
    command = [program, "--quiet", "--extra-arg-before=-Wno-unknown-warning-option", "-p", build, root / path]
    done = subprocess.run(command, capture_output=True, text=True)
    return path, done.stdout if done.returncode != 0 else ""


def main(root, build):
    program = shutil.which(f"clang-tidy-{VERSION}")
    if program is None:
        print(f"skipped: clang-tidy-{VERSION} is not installed")
        sys.exit(77)
    clean = build / "tidy"
    clean.mkdir(exist_ok=True)
    marks = {path: clean / fingerprint(root, path, program) for path in sorted(set(compiled_files(root, build)))}
    todo = [path for path, mark in marks.items() if not mark.exists()]
    problems = []
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for done in concurrent.futures.as_completed([pool.submit(check, root, build, program, path) for path in todo]):
            path, wrong = done.result()
            if wrong:
                problems.append(f"{path}:\n{wrong}")
            else:
                marks[path].touch()
    print(f"looked at {len(todo)} of {len(marks)} files; the others are unchanged")
    tree.report(problems, "tidy")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve())
