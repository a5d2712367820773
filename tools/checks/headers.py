#!/usr/bin/env python3
"""Every public header compiles alone, includes only itself and the standard library, and c.h is C.

usage: headers.py [ROOT] [COMPILER]
"""

import pathlib
import re
import subprocess
import sys

import tree

# Two headers of the C library, which C++ has under other names.
_STANDARD = re.compile(r"^[a-z_]+$|^stddef\.h$")


def compiles(root, command, header):
    text = f"#include <lathe/{header}>\n"
    done = subprocess.run([*command, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", root / "runtime/include", "-fsyntax-only", "-"],
                          input=text, capture_output=True, text=True)
    return done.stderr if done.returncode != 0 else ""


def problems(root, compiler):
    for path in sorted((root / "runtime/include/lathe").glob("*.h")):
        for is_system, name in tree.includes(path.read_text(encoding="utf-8")):
            if not name.startswith("lathe/") and not (is_system and _STANDARD.match(name)):
                yield f"{path.name}: includes <{name}>"
        wrong = compiles(root, [compiler, "-std=c++20", "-x", "c++"], path.name)
        if wrong:
            yield f"{path.name}: does not compile alone:\n{wrong}"
    wrong = compiles(root, [compiler, "-std=c99", "-x", "c"], "c.h")
    if wrong:
        yield f"c.h: is not C:\n{wrong}"


if __name__ == "__main__":
    root = tree.root_from_arguments()
    tree.report(list(problems(pathlib.Path(root), sys.argv[2] if len(sys.argv) > 2 else "g++")), "headers")
