"""The repository's checks find what they are for: each is run on a small tree that breaks its rule, and on one that does not."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECKS = pathlib.Path(__file__).resolve().parents[2] / "tools" / "checks"


def run(check, files):
    """Exit code and output of a check on a tree made of `files`."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for folder_name in ("runtime", "codegen", "cache", "templates", "tools", "tests"):
            (root / folder_name).mkdir()
            (root / folder_name / "README.md").write_text("x\n")
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        done = subprocess.run([sys.executable, CHECKS / check, root], capture_output=True, text=True)
        return done.returncode, done.stdout


class Layers(unittest.TestCase):
    def expect(self, files, *words):
        code, output = run("layers.py", files)
        self.assertEqual(code, 1 if words else 0, output)
        for word in words:
            self.assertIn(word, output)

    def test_downward_includes_pass(self):
        self.expect({"runtime/a.cpp": '#include "cache/b.h"\n#include <lathe/c.h>\n#include <vector>\n', "cache/b.h": "// b\n"})

    def test_upward_include(self):
        self.expect({"cache/a.cpp": '#include "runtime/b.h"\n'}, "cache/a.cpp", "must not include")

    def test_sideways_include(self):
        self.expect({"cache/a.h": '#include "codegen/b.h"\n'}, "cache/a.h", "must not include")

    def test_tools_must_not_reach_into_the_runtime(self):
        self.expect({"tools/lathe/a.cpp": '#include "runtime/pipeline.h"\n'}, "tools/lathe/a.cpp")

    def test_third_party_out_of_place(self):
        self.expect({"runtime/a.cpp": "#include <llvm/IR/Module.h>\n"}, "llvm/IR/Module.h")
        self.expect({"runtime/include/lathe/a.h": "#include <fmt/format.h>\n"}, "fmt/format.h")

    def test_cycle(self):
        self.expect({"cache/a.h": '#include "cache/b.h"\n', "cache/b.h": '#include "cache/a.h"\n'}, "include cycle")


class Sizes(unittest.TestCase):
    def test_long_file(self):
        code, output = run("sizes.py", {"cache/a.h": "// x\n" * 501})
        self.assertEqual(code, 1)
        self.assertIn("501 lines", output)

    def test_long_function(self):
        body = "void f() {\n" + "  g();\n" * 121 + "}\n"
        code, output = run("sizes.py", {"cache/a.cpp": body})
        self.assertEqual(code, 1)
        self.assertIn("cache/a.cpp:1: a function of 123 lines", output)

    def test_many_parameters(self):
        code, output = run("sizes.py", {"cache/a.cpp": "void f(int a, int b, int c, int d, int e, int f, int g) {\n}\n"})
        self.assertEqual(code, 1)
        self.assertIn("7 parameters", output)

    def test_braces_in_texts_do_not_count(self):
        code, output = run("sizes.py", {"cache/a.cpp": 'void f() {\n  g("{{{");  // {{{\n}\nvoid h() {\n}\n'})
        self.assertEqual(code, 0, output)


class Rules(unittest.TestCase):
    def expect(self, files, *words):
        code, output = run("rules.py", files)
        for word in words:
            self.assertIn(word, output)
        return output

    def test_printing_library(self):
        for call in ("printf(\"x\");", "std::cerr << 1;", "std::exit(1);", "getenv(\"HOME\");", "abort();"):
            self.expect({"cache/a.cpp": f"void f() {{ {call} }}\n"}, "cache/a.cpp:1", "in the library")

    def test_only_options_reads_the_environment(self):
        output = self.expect({"runtime/options.cpp": "auto x = secure_getenv(name);\n"})
        self.assertNotIn("runtime/options.cpp:1", output)

    def test_comments_may_say_printf(self):
        self.assertNotIn("in the library", self.expect({"cache/a.cpp": "// printf(\n"}))

    def test_toolkit_header_in_a_template(self):
        self.expect({"templates/cuda/a.cu": "#include <cuda_fp16.h>\n// lathe:parameters\n"}, "cuda_fp16.h", "not ours")

    def test_template_without_block(self):
        self.expect({"templates/cuda/a.cu": "int x;\n"}, "exactly one parameter block")

    def test_ptx_outside_its_folder(self):
        self.expect({"templates/cuda/a.cuh": '// a\n#pragma once\nasm("x");\n'}, "inline PTX")

    def test_source_without_test(self):
        self.expect({"cache/a.cpp": "int x;\n"}, "cache/a.cpp: no test")

    def test_source_with_test(self):
        output = self.expect({"cache/a.cpp": "int x;\n", "tests/cache/a_test.cpp": "int x;\n"})
        self.assertNotIn("cache/a.cpp: no test", output)

    def test_weak_name(self):
        self.expect({"cache/cache_manager.h": "// x\n#pragma once\n"}, "cache_manager.h: say what it is")

    def test_stray_entry_and_dead_link(self):
        self.expect({"notes.txt": "x", "README.md": "[a](b.md)\n"}, "notes.txt", "links to b.md")


if __name__ == "__main__":
    unittest.main()
