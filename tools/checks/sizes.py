#!/usr/bin/env python3
"""Files and functions stay small enough to read at one sitting.

usage: sizes.py [ROOT]

Functions are found by their braces and what stands before them: a heuristic, good enough for code that clang-format has formatted.
"""

import re

import tree

MAX_FILE = 500
MOST_FILES = (300, 0.90)
MAX_FUNCTION = 120
MOST_FUNCTIONS = (60, 0.97)
MAX_PARAMETERS = 6

_HEAD = re.compile(r"^(?!\s*(?:if|for|while|switch|else|do|namespace|class|struct|enum|union|extern|return|catch)\b).*\)"
                   r"\s*(?:const|noexcept|override|final|->\s*[\w:<>,*& ]+|:\s.*|requires.*)*\s*\{\s*$", re.DOTALL)


def functions(text):
    """(first line, lines, parameters) of each function body at the outermost level where it stands."""
    lines = tree.without_comments_and_strings(text).split("\n")
    start, depth, head, result = None, 0, "", []
    for number, line in enumerate(lines, 1):
        head = line if head.rstrip().endswith((";", "}", "{", ":", "")) and not head.strip().endswith((",", "(")) else head + "\n" + line
        if start is None and line.rstrip().endswith("{") and _HEAD.match(head):
            start, depth, opened = number, 0, head
        if start is not None:
            depth += line.count("{") - line.count("}")
            if depth <= 0:
                result.append((start, number - start + 1, parameter_count(opened)))
                start = None
    return result


def parameter_count(head):
    """Commas at the outermost level of the last parenthesised list before the body."""
    begin = head.find("(")
    depth, count, seen = 0, 0, False
    for character in head[begin:]:
        if character in "(<[{":
            depth += 1
        elif character in ")>]}":
            depth -= 1
            if depth == 0:
                break
        elif depth == 1 and character == ",":
            count += 1
        elif not character.isspace():
            seen = True
    return count + 1 if seen else 0


def problems(root):
    file_sizes, function_sizes = [], []
    for path in tree.source_files(root):
        text = tree.read(root, path)
        length = text.count("\n")
        file_sizes.append(length)
        if length > MAX_FILE:
            yield f"{path}: {length} lines, at most {MAX_FILE}"
        is_test = path.parts[0] == "tests"
        for first, size, parameters in functions(text):
            if not is_test:
                function_sizes.append(size)
            if size > MAX_FUNCTION:
                yield f"{path}:{first}: a function of {size} lines, at most {MAX_FUNCTION}"
            # Fakes of a C interface have its signatures.
            if parameters > MAX_PARAMETERS and not is_test:
                yield f"{path}:{first}: {parameters} parameters, at most {MAX_PARAMETERS}"
    for sizes, (limit, share), what in ((file_sizes, MOST_FILES, "files"), (function_sizes, MOST_FUNCTIONS, "functions")):
        within = sum(size <= limit for size in sizes)
        if sizes and within < share * len(sizes):
            yield f"{within} of {len(sizes)} {what} have at most {limit} lines, {share:.0%} should"


if __name__ == "__main__":
    root = tree.root_from_arguments()
    tree.report(list(problems(root)), "sizes")
