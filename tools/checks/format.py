#!/usr/bin/env python3
"""All sources are as clang-format leaves them. Exits with 77 where there is no clang-format of the version meant: others differ in
small things.

usage: format.py [ROOT]
"""

import shutil
import subprocess
import sys

import tree

VERSION = "19"


if __name__ == "__main__":
    root = tree.root_from_arguments()
    program = shutil.which(f"clang-format-{VERSION}")
    if program is None:
        print(f"skipped: clang-format-{VERSION} is not installed")
        sys.exit(77)
    files = [str(root / path) for path in tree.source_files(root)]
    done = subprocess.run([program, "--dry-run", "--Werror", *files], capture_output=True, text=True)
    tree.report([line for line in done.stderr.splitlines() if "error:" in line], "format")
