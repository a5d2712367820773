"""tools/pack-portable: what the folder holds, and what it does not touch. Builds nothing."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from gpu_check_test import ROOT, programs, without_gpu  # noqa: E402


class Pack(unittest.TestCase):
    """tools/pack-portable with `true` for both programs."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.out = self.root / "out"
        (self.root / "build").mkdir()
        for name in ("lathe", "kernel_tests"):
            shutil.copy(shutil.which("true"), self.root / "build" / name)

    def pack(self, *options):
        return subprocess.run([ROOT / "tools" / "pack-portable", "--out", self.out, "--build", self.root / "build",
                               *options], capture_output=True, text=True, check=False)

    def test_the_folder_works_on_its_own(self):
        done = self.pack()
        self.assertEqual(done.returncode, 0, done.stderr)
        packed = without_gpu(self.out / "tools" / "gpu-check")
        self.assertEqual(packed.returncode, 5, packed.stderr)
        self.assertEqual(programs.Portable(self.out).missing(), [])
        self.assertRegex(programs.Portable(self.out).revision(), r"^([0-9a-f]{12}(-dirty)?|unknown)$")
        self.assertTrue((self.out / "tests" / "bench" / "peers" / "timing.py").exists())

    def test_specs_and_traces_are_compiled_for_each_architecture(self):
        recorded = self.root / "recorded.jsonl"
        recorded.write_text('{"spec": {"op": "rms_norm", "hidden_size": 7}, "target": "cpu:x86-64-v3"}\n')
        done = self.pack("--arch", "sm_80", "--arch", "sm_120", "--trace", recorded)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [json.loads(line) for line in (self.out / "trace.jsonl").read_text().splitlines()]
        specs = (ROOT / "tests" / "bench" / "portable_specs.jsonl").read_text().splitlines()
        self.assertEqual(len(lines), 2 * (len(specs) + 1))
        self.assertEqual({line["target"] for line in lines}, {"cuda:sm_80", "cuda:sm_120"})
        self.assertEqual(sum(line["spec"]["hidden_size"] == 7 for line in lines), 2)

    def test_packing_again_replaces_the_folder(self):
        self.assertEqual(self.pack().returncode, 0)
        (self.out / "left over").touch()
        self.assertEqual(self.pack().returncode, 0)
        self.assertFalse((self.out / "left over").exists())

    def test_a_folder_of_someone_else_is_not_touched(self):
        self.out.mkdir()
        (self.out / "precious").touch()
        done = self.pack()
        self.assertEqual(done.returncode, 1)
        self.assertTrue((self.out / "precious").exists())

    def test_missing_programs_and_wrong_options_are_usage_errors(self):
        (self.root / "build" / "lathe").unlink()
        done = self.pack()
        self.assertEqual(done.returncode, 1)
        self.assertIn("lathe", done.stderr)
        self.assertEqual(self.pack("--nonsense").returncode, 1)
        self.assertEqual(self.pack("--arch").returncode, 1)
        self.assertFalse(self.out.exists())


if __name__ == "__main__":
    unittest.main()
