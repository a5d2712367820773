#!/usr/bin/env python3
"""House rules that a text search can hold: library etiquette, templates, tests beside sources, the top level, READMEs.

usage: rules.py [ROOT]
"""

import pathlib
import re

import tree

TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", *tree.FOLDERS}
NOT_TRACKED = {"build", "out"}

# The library never prints, exits or reads the environment; fmt::format and friends only make texts.
_IMPOLITE = re.compile(r"\b(?:std::c(?:out|err|log)|printf|fprintf|puts|abort|std::exit|_exit|getenv|fmt::print)\s*[(<]|std::c(?:out|err)\b")
_ENVIRONMENT = re.compile(r"\bgetenv|secure_getenv")
_DEVICE_INCLUDE = ("common/", "cpu/", "cuda/", "lathe/", "user/")
_LOCAL_PATH = re.compile(r"/(?:work|root)/")
_WEAK_NAME = re.compile(r"(?:^|_)(?:manager|helper|helpers|util|utils|context|engine)(?:_|\.|$)")

# Sources whose behaviour is tested through another file's test, and why.
TESTED_ELSEWHERE = {
    "runtime/base/kv_functions.cpp": "tests/base/kv_presets_test.cpp: presets by name",
    "runtime/base/kv_layouts.cpp": "tests/base/kv_presets_test.cpp: presets by name",
    "codegen/ops/kv_arguments.cpp": "tests/codegen/ops_kv_launch_test.cpp: the names of what launches check",
    "codegen/ops/kv_layout.cpp": "tests/codegen/ops_kv_views_test.cpp: how views are read",
    "codegen/ops/kv_move_launch.cpp": "tests/codegen/ops_kv_launch_test.cpp: launches, views and maps together",
    "codegen/ops/kv_move_parameters.cpp": "tests/codegen/ops_kv_move_test.cpp: plans from specs",
    "codegen/ops/kv_tiling.cpp": "tests/codegen/ops_kv_move_test.cpp: plans from specs",
    "codegen/ops/linear_cross_entropy_arguments.cpp": "tests/codegen/ops_linear_cross_entropy_launch_test.cpp: it lists what launches check",
    "codegen/ops/linear_cross_entropy_division.cpp": "tests/codegen/ops_linear_cross_entropy_launch_test.cpp: chunks and workspace of launches",
    "codegen/ops/rope_arguments.cpp": "tests/codegen/ops_rope_launch_test.cpp: the names of what launches check",
    "codegen/ops/rope_cpu.cpp": "tests/codegen/ops_rope_test.cpp: plans from specs",
    "codegen/ops/rope_cuda.cpp": "tests/codegen/ops_rope_test.cpp: plans from specs",
    "codegen/ops/rope_parameters.cpp": "tests/codegen/ops_rope_test.cpp: plans from specs",
    "codegen/ops/rope_tensors.cpp": "tests/codegen/ops_rope_launch_test.cpp: which tensors launches check",
    "codegen/ops/strided_rows.cpp": "tests/codegen/ops_rope_launch_test.cpp: the strides that launches check",
    "runtime/binary_cache.cpp": "tests/runtime/pipeline_test.cpp: it only counts what the stores answer",
    "runtime/kernel.cpp": "tests/runtime/pipeline_test.cpp: a launch needs a pipeline's kernel",
    "codegen/ops/attention_arguments.cpp": "tests/codegen/ops_attention_launch_test.cpp: what it lists is what a launch needs",
    "codegen/field_info.cpp": "tests/codegen/spec_json_test.cpp: it describes what is read there",
    "runtime/cuda/cuda_entry.cpp": "tests/runtime/cuda_kernel_test.cpp: it is launched through its kernel",
    "runtime/cpu/allowed_symbols.cpp": "tests/runtime/cpu_object_linker_test.cpp: a table of addresses",
}

# The emulator is tested by what kernels do, an instruction or a part of the machine at a time; a test may cover several sources.
TESTED_TOGETHER = {
    "tests/runtime/ptx/approximations_test.cpp": ("approximation_instructions",),
    "tests/runtime/ptx/async_copy_test.cpp": ("async_copies", "copy_instructions"),
    "tests/runtime/ptx/barrier_instructions_test.cpp": ("block", "warp_members"),
    "tests/runtime/ptx/bulk_copies_test.cpp": (
        "async_proxy", "async_register_instructions", "async_transfer", "bulk_decoding", "bulk_groups", "bulk_instructions", "pending_writes"),
    "tests/runtime/ptx/call_instructions_test.cpp": ("decode",),
    "tests/runtime/ptx/cluster_instructions_test.cpp": ("cluster", "launch"),
    "tests/runtime/ptx/comparison_test.cpp": ("compare_lanes", "comparison_instructions"),
    "tests/runtime/ptx/emulator_test.cpp": ("decoding", "instruction_table"),
    "tests/runtime/ptx/integer_instructions_test.cpp": ("arithmetic_dispatch",),
    "tests/runtime/ptx/ldmatrix_test.cpp": ("matrix_instructions",),
    "tests/runtime/ptx/mbarrier_test.cpp": ("mbarrier_deadlock", "mbarrier_instructions", "mbarrier_objects", "mbarrier_wait"),
    "tests/runtime/ptx/memory_instructions_test.cpp": ("frame_layout", "memory_access"),
    "tests/runtime/ptx/mma_test.cpp": ("mma_instructions",),
    "tests/runtime/ptx/move_instructions_test.cpp": ("special_registers",),
    "tests/runtime/ptx/race_shared_test.cpp": ("lane_agreement", "past", "race_report", "races"),
    "tests/runtime/ptx/setmaxnreg_test.cpp": ("register_budget", "setmaxnreg_instruction"),
    "tests/runtime/ptx/tensor_copies_test.cpp": ("tensor_box", "tensor_instructions"),
    "tests/runtime/ptx/warp_test.cpp": ("control_instructions", "fault"),
    "tests/runtime/ptx/wgmma_test.cpp": (
        "warpgroup", "wgmma_decoding", "wgmma_instructions", "wgmma_operand", "wgmma_product", "wgmma_registers", "wgmma_state"),
}


def etiquette(root, path, text):
    if path.parts[0] not in ("runtime", "codegen", "cache"):
        return
    code = tree.without_comments_and_strings(text)
    if str(path) == "runtime/options.cpp":
        code = _ENVIRONMENT.sub("", code)
    for match in _IMPOLITE.finditer(code):
        line = code.count("\n", 0, match.start()) + 1
        yield f"{path}:{line}: `{match.group(0)}` in the library"


def device_code(root, path, text):
    if path.parts[0] != "templates":
        return
    for _, name in tree.includes(text):
        if not name.startswith(_DEVICE_INCLUDE):
            yield f"{path}: device code includes <{name}>, which is not ours"
    if path.suffix in (".cu", ".cpp") and text.count("// lathe:parameters") != 1:
        yield f"{path}: a template has exactly one parameter block"
    if "cuda" in path.parts and "ptx" not in path.parts and re.search(r"\basm\b", text):
        yield f"{path}: inline PTX belongs into templates/cuda/ptx/"


def naming(root, path, text):
    if _WEAK_NAME.search(path.name):
        yield f"{path}: say what it is, not that it helps"
    if _LOCAL_PATH.search(text):
        yield f"{path}: a path of somebody's machine"
    if path.suffix in (".h", ".cuh") and "#pragma once" not in text and path.name != "c.h":
        yield f"{path}: no #pragma once"
    if path.suffix in (".h", ".cuh") and not text.startswith(("//", "/*")):
        yield f"{path}: a header begins with what it is"


def test_names(path):
    """Where the test of a source may stand."""
    folder, stem = path.parts[0], path.stem
    inner = list(path.parts[1:-1])
    if path.parts[:2] == ("runtime", "base"):
        folder, inner = "base", []
    yield f"tests/{folder}/{'/'.join(inner + [''])}{stem}_test.cpp"
    yield f"tests/{folder}/{'_'.join(inner + [stem])}_test.cpp"
    # cuda/cuda_executor.cpp: the folder's name is said once.
    yield f"tests/{folder}/{stem}_test.cpp"


def tests_beside_sources(root):
    for path in tree.source_files(root):
        if path.suffix != ".cpp" or path.parts[0] not in ("runtime", "codegen", "cache") or str(path) in TESTED_ELSEWHERE:
            continue
        together = [test for test, sources in TESTED_TOGETHER.items() if path.stem in sources and f"tests/{path.parent}/" in test]
        if not any((root / name).exists() for name in (*test_names(path), *together)):
            yield f"{path}: no test; expected {next(test_names(path))}"
    for name in TESTED_ELSEWHERE:
        if not (root / name).exists():
            yield f"rules.py: {name} is excused but is not there"
    for test, sources in TESTED_TOGETHER.items():
        folder = pathlib.Path(test).relative_to("tests").parent
        for name in (pathlib.Path(test), *(folder / f"{source}.cpp" for source in sources)):
            if not (root / name).exists():
                yield f"rules.py: {name} is named but is not there"


def top_level(root):
    for entry in sorted(root.iterdir()):
        if not entry.name.startswith(".") and entry.name not in TOP_LEVEL | NOT_TRACKED:
            yield f"{entry.name}: does not belong to the top level"
    for folder in tree.FOLDERS:
        if not (root / folder / "README.md").exists():
            yield f"{folder}: has no README.md"


def links(root):
    for readme in root.rglob("*.md"):
        if NOT_TRACKED & set(readme.relative_to(root).parts):
            continue
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", readme.read_text(encoding="utf-8")):
            if "://" not in target and not (readme.parent / target).exists():
                yield f"{readme.relative_to(root)}: links to {target}, which is not there"


def problems(root):
    root = pathlib.Path(root)
    for path in tree.source_files(root):
        text = tree.read(root, path)
        for rule in (etiquette, device_code, naming):
            yield from rule(root, path, text)
    yield from tests_beside_sources(root)
    yield from top_level(root)
    yield from links(root)


if __name__ == "__main__":
    tree.report(list(problems(tree.root_from_arguments())), "rules")
