"""The repository as the checks see it: its source files, their includes and their functions."""

import pathlib
import re
import sys

SOURCE_SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}
FOLDERS = ("runtime", "codegen", "cache", "templates", "tools", "tests")

_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def source_files(root):
    """Paths relative to root, sorted."""
    root = pathlib.Path(root)
    found = []
    for folder in FOLDERS:
        for path in (root / folder).rglob("*"):
            if path.suffix in SOURCE_SUFFIXES and path.is_file() and "build" not in path.parts:
                found.append(path.relative_to(root))
    return sorted(found)


def read(root, path):
    return (pathlib.Path(root) / path).read_text(encoding="utf-8")


def includes(text):
    """Pairs of (is_system, name)."""
    return [(kind == "<", name) for kind, name in _INCLUDE.findall(text)]


def without_comments_and_strings(text):
    """The code alone, with the same line breaks, so that braces in texts do not count."""
    pattern = re.compile(
        r'R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL
    )
    return pattern.sub(lambda match: '""' + "\n" * match.group(0).count("\n"), text)


def report(problems, what):
    """Ends the program: 0 and a line, or 1 and every problem."""
    for problem in problems:
        print(problem)
    print(f"{what}: {len(problems)} problem(s)" if problems else f"{what}: ok")
    sys.exit(1 if problems else 0)


def root_from_arguments():
    return pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
