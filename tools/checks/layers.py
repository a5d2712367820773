#!/usr/bin/env python3
"""Includes go down only, no header includes itself in a circle, and each third party stays where it belongs.

usage: layers.py [ROOT]
"""

import re

import tree

# A folder may include itself and what is listed. The longest prefix counts.
MAY_INCLUDE = {
    "runtime/include/lathe": {"lathe"},
    "runtime/base": {"lathe", "runtime/base"},
    "cache": {"lathe", "runtime/base", "cache"},
    "codegen": {"lathe", "runtime/base", "codegen"},
    "runtime": {"lathe", "runtime", "cache", "codegen"},
    "runtime/cuda": {"lathe", "runtime", "codegen"},
    "runtime/cpu": {"lathe", "runtime", "codegen"},
    "templates/common": {"common", "lathe"},
    "templates/cpu": {"common", "cpu", "lathe", "user"},
    "templates/cuda": {"common", "cuda", "lathe", "user"},
    "templates/user": {"common", "user"},
    "tools": {"lathe", "runtime/base", "cache", "codegen", "tools"},
    # What both kinds of target share is plain C++, which tests compile too.
    "tests": {"lathe", "runtime", "cache", "codegen", "tools", "tests", "templates/common"},
}

# Third-party headers, and the only files that may include them.
THIRD_PARTY = {
    r"^xxhash\.h$": r"^cache/digest\.cpp$",
    r"^(llvm|clang)/": r"^(codegen/clang_.*\.cpp|codegen/llvm_compat\.h|runtime/cpu/object_(linker|check)\.cpp)$",
    r"^tbb/": r"^runtime/cpu/cpu_executor\.cpp$",
    r"^nlohmann/": r"^(codegen/(spec_json\.cpp|field_info\.cpp|field_json\.h)|runtime/(binary_codec|c|options_json)\.cpp|tools/lathe/.*|tools/models/.*|tests/.*)$",
    r"^CLI/": r"^tools/lathe/",
    r"^catch2/": r"^tests/support/",
    r"^fmt/": r"^(?!runtime/include/|templates/|runtime/base/)",
    r"^(cuda|cuda_runtime|cuda_fp16|cuda_bf16|nvrtc|cub|cooperative_groups)": r"^tests/runtime/cuda_driver_api_test\.cpp$",
}


def layer_of(path):
    """The key of MAY_INCLUDE that a path belongs to."""
    text = str(path)
    return max((key for key in MAY_INCLUDE if text.startswith(key + "/")), key=len, default=None)


def own_header(is_system, name):
    """The folder of an include of ours, or None for the standard library and third parties."""
    if name.startswith("lathe/"):
        return "lathe"
    if is_system:
        return None
    return name.rsplit("/", 1)[0] if "/" in name else "."


def is_allowed(layer, folder):
    return any(folder == allowed or folder.startswith(allowed + "/") for allowed in MAY_INCLUDE[layer])


def layer_problems(root):
    for path in tree.source_files(root):
        layer = layer_of(path)
        if layer is None:
            yield f"{path}: belongs to no layer"
            continue
        for is_system, name in tree.includes(tree.read(root, path)):
            folder = own_header(is_system, name)
            if folder is not None and not is_allowed(layer, folder):
                yield f'{path}: {layer} must not include "{name}"'
            for pattern, users in THIRD_PARTY.items():
                if is_system and re.search(pattern, name) and not re.search(users, str(path)):
                    yield f"{path}: <{name}> may be included only by {users}"


def cycle_problems(root):
    """Header cycles, found by depth-first search."""
    graph = {}
    for path in tree.source_files(root):
        name = str(path).replace("runtime/include/", "").replace("templates/", "")
        graph[name] = [included for _, included in tree.includes(tree.read(root, path))]
    state = {}

    def visit(name, trail):
        if name not in graph or state.get(name) == "done":
            return
        if name in trail:
            yield "include cycle: " + " -> ".join(trail[trail.index(name):] + [name])
            return
        for included in graph[name]:
            yield from visit(included, trail + [name])
        state[name] = "done"

    for name in graph:
        yield from visit(name, [])


if __name__ == "__main__":
    root = tree.root_from_arguments()
    tree.report(list(layer_problems(root)) + list(cycle_problems(root)), "layers")
