"""cpu-peers with made-up programs: turns, medians, the fastest variant, and what is missing."""

import json
import pathlib
import stat
import subprocess
import sys
import tempfile
import textwrap
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent / "cpu-peers"


class CpuPeers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        # Lathe takes 1, 2, 3 ms in its turns.
        self.program("lathe", f"""
            echo turn >> {self.root}/turns
            echo '{{"name": "rope bf16 8192 tokens, 32/8 heads x 128, half", "median_ms": '$(wc -l < {self.root}/turns)', "share_of_copy": 0.5}}'
            """)

    def program(self, name, text):
        file = self.root / name
        file.write_text("#!/bin/sh\n" + textwrap.dedent(text))
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def run_script(self, *arguments):
        return subprocess.run([sys.executable, "-B", SCRIPT, "--lathe", self.root / "lathe", "--python",
                               self.root / "python", "--op", "rope", *arguments], capture_output=True, text=True,
                              check=False)

    def test_medians_of_turns_beside_the_fastest_variant(self):
        self.program("python", """
            test "$2" = --device=cpu || exit 1
            name=${3#--case=}
            echo '{"name": "'"$name"'", "peer": "torch eager", "median_ms": 9}'
            echo '{"name": "'"$name"'", "peer": "torch compile", "median_ms": 5}'
            """)
        done = self.run_script("--turns", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout),
                         {"name": "rope bf16 8192 tokens, 32/8 heads x 128, half", "median_ms": 2,
                          "peer": "torch compile", "peer_median_ms": 5, "times_as_fast": 2.5, "share_of_copy": 0.5})

    def test_without_a_peer_lathe_is_measured_all_the_same(self):
        self.program("python", "echo 'no torch' >&2; exit 5")
        done = self.run_script("--turns", "1")
        self.assertEqual(done.returncode, 5)
        self.assertEqual(json.loads(done.stdout)["median_ms"], 1)
        self.assertIn("rope_torch.py: skipped (exit 5)", done.stderr)

    def test_a_benchmark_that_fails_is_told(self):
        self.program("lathe", "echo broken >&2; exit 2")
        self.program("python", "exit 0")
        done = self.run_script("--turns", "1")
        self.assertEqual(done.returncode, 2)
        self.assertIn("lathe bench rope: exit 2", done.stderr)


if __name__ == "__main__":
    unittest.main()
