"""tools/gpu-check and its peers, without a GPU: what they do on a machine that has none, the flow with programs and a
device that are made up, and the records."""

import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import textwrap
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / "tests" / "bench" / "peers"
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))

from gpu_check import benchmarks, check, device, programs, records  # noqa: E402

RUN = {"device": "NVIDIA H200", "driver": "13.0", "nvrtc": "13.0", "date": "2026-03-01T10:00:00Z", "revision": "abc"}


def row(digest="d1", passed=True, target="cuda:sm_90a"):
    return {"op": "rms_norm", "spec": "rms_norm hidden_size=8", "target": target, "source_digest": digest,
            "passed": passed}


def without_gpu(*command):
    """Runs a program to which no GPU is visible, whatever the machine has."""
    variables = dict(os.environ, CUDA_VISIBLE_DEVICES="-1", PYTHONDONTWRITEBYTECODE="1")
    return subprocess.run([sys.executable, *map(str, command)], env=variables, capture_output=True, text=True,
                          check=False)


class WithoutGpu(unittest.TestCase):
    def test_gpu_check_says_a_sentence_and_exits_with_5(self):
        done = without_gpu(ROOT / "tools" / "gpu-check")
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"^gpu-check: .+\. Run it on a machine with an NVIDIA GPU and its driver\.\n$")

    def test_peers_say_a_sentence_and_exit_with_5(self):
        for script in sorted(PEERS.glob("*_torch.py")):
            done = without_gpu(script)
            self.assertEqual(done.returncode, 5, f"{script}: {done.stderr}")
            self.assertEqual(done.stdout, "")
            self.assertTrue(done.stderr.startswith(script.name + ": "), done.stderr)

    def test_wrong_usage_exits_with_1(self):
        self.assertEqual(without_gpu(ROOT / "tools" / "gpu-check", "--sanitize", "nothing").returncode, 1)
        self.assertEqual(without_gpu(PEERS / "rms_norm_torch.py", "--device", "tpu").returncode, 1)
        self.assertEqual(without_gpu(PEERS / "ceilings_torch.py", "--gemm-size", "large").returncode, 1)

    def test_help_describes_the_command(self):
        done = without_gpu(ROOT / "tools" / "gpu-check", "--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("--sanitize", done.stdout)

    def test_a_library_that_is_missing_is_no_device(self):
        with self.assertRaisesRegex(device.NoDevice, "liblathe_no_such_driver"):
            device.Driver("liblathe_no_such_driver.so.1")


class Reports(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_torn_and_foreign_lines_are_not_rows(self):
        file = self.folder / "report.jsonl"
        file.write_text(json.dumps(row()) + "\n{}\n" + json.dumps(row("d2"))[:30])
        self.assertEqual(records.read_report(file), [row()])
        self.assertEqual(records.read_report(self.folder / "none"), [])

    def test_a_kernel_passed_only_if_all_its_tests_did(self):
        kernels = records.by_kernel([row("a"), row("b"), row("a", passed=False), row("b")])
        self.assertEqual({k["source_digest"]: k["passed"] for k in kernels}, {"a": False, "b": True})

    def test_writing_replaces_the_file_as_a_whole(self):
        file = self.folder / "new" / "verified.json"
        records.write_json(file, {"format": 1})
        records.write_json(file, {"format": 2})
        self.assertEqual(json.loads(file.read_text()), {"format": 2})
        self.assertEqual([path.name for path in file.parent.iterdir()], ["verified.json"])


class Verified(unittest.TestCase):
    def test_a_passing_kernel_is_recorded_with_its_run(self):
        merged = records.merge_verified({}, [row()], RUN)
        self.assertEqual(merged, {"format": 1, "kernels": [{"source_digest": "d1", "op": "rms_norm",
                                                            "spec": "rms_norm hidden_size=8",
                                                            "target": "cuda:sm_90a", "runs": [RUN]}]})

    def test_a_later_run_replaces_that_of_the_same_device_only(self):
        other = RUN | {"device": "NVIDIA A100"}
        later = RUN | {"date": "2026-04-01T10:00:00Z"}
        merged = records.merge_verified({}, [row()], RUN)
        merged = records.merge_verified(merged, [row()], other)
        merged = records.merge_verified(merged, [row()], later)
        self.assertEqual(merged["kernels"][0]["runs"], [other, later])

    def test_a_failing_kernel_loses_its_record(self):
        merged = records.merge_verified({}, [row("a"), row("b")], RUN)
        merged = records.merge_verified(merged, [row("a", passed=False)], RUN)
        self.assertEqual([k["source_digest"] for k in merged["kernels"]], ["b"])

    def test_kernels_that_did_not_run_keep_theirs(self):
        merged = records.merge_verified(records.merge_verified({}, [row("a")], RUN), [row("b")], RUN)
        self.assertEqual([k["source_digest"] for k in merged["kernels"]], ["a", "b"])

    def test_the_record_of_another_version_is_not_mixed_in(self):
        merged = records.merge_verified({"format": 99, "kernels": "?"}, [row()], RUN)
        self.assertEqual(len(merged["kernels"]), 1)


class Names(unittest.TestCase):
    def test_results_are_named_by_device_and_day(self):
        self.assertEqual(records.results_name("NVIDIA H200", RUN["date"]), "nvidia-h200-2026-03-01.json")
        self.assertEqual(records.results_name("NVIDIA GeForce RTX 5090 (x)", RUN["date"]),
                         "nvidia-geforce-rtx-5090-x-2026-03-01.json")

    def test_peers_are_compared_on_the_benchmark_of_their_name(self):
        ours = [{"name": "rms_norm bf16 8x64", "median_ms": 1.0}, {"name": "rms_norm bf16 8x128", "median_ms": 2.0}]
        peers = [{"name": "rms_norm bf16 8x64", "peer": "torch eager", "median_ms": 3.0}]
        self.assertEqual(records.comparison(ours, peers),
                         [{"name": "rms_norm bf16 8x64", "peer": "torch eager", "median_ms": 1.0,
                           "peer_median_ms": 3.0, "times_as_fast": 3.0}])


class Programs(unittest.TestCase):
    def test_json_lines_are_found_among_others(self):
        self.assertEqual(programs.json_lines('compiling\n{"a": 1}\n{torn\n[1]\n'), [{"a": 1}])

    def test_values_are_found_in_a_tree(self):
        self.assertEqual(programs.find_value({"toolchains": [{"nvrtc": "13.0"}]}, "nvrtc"), "13.0")
        nested = {"toolchains": {"nvrtc": {"path": "x", "version": "13.0"}}}
        self.assertEqual(programs.find_value(nested, "nvrtc"), "13.0")
        self.assertIsNone(programs.find_value({"nvrtc": None}, "nvrtc"))
        self.assertIsNone(programs.find_value(None, "nvrtc"))

    def test_a_program_that_cannot_start_is_a_failed_run(self):
        with tempfile.TemporaryDirectory() as folder:
            done = programs.run(["/no/such/program"], {}, pathlib.Path(folder) / "log")
        self.assertEqual(done.code, 127)
        self.assertIn("/no/such/program", done.tail)

    def test_the_chosen_device_is_the_only_one_that_programs_see(self):
        with tempfile.TemporaryDirectory() as folder:
            portable = programs.Portable(pathlib.Path(folder))
            chosen = device.Device(1, "NVIDIA H200", "sm_90", "13.0", 132, 1, 1)
            old = os.environ.get("CUDA_VISIBLE_DEVICES")
            try:
                os.environ.pop("CUDA_VISIBLE_DEVICES", None)
                self.assertEqual(programs.environment(portable, chosen, portable.root)["CUDA_VISIBLE_DEVICES"], "1")
                os.environ["CUDA_VISIBLE_DEVICES"] = "4,6"
                self.assertEqual(programs.environment(portable, chosen, portable.root)["CUDA_VISIBLE_DEVICES"], "6")
            finally:
                os.environ.pop("CUDA_VISIBLE_DEVICES", None)
                if old is not None:
                    os.environ["CUDA_VISIBLE_DEVICES"] = old


class FakeDriver:
    """As much of a driver as measuring a copy needs: every copy takes 1 ms."""

    def number(self, function, *_, **__):
        return 1.0 if function == "cuEventElapsedTime" else 1

    def call(self, *_):
        return None


class Flow(unittest.TestCase):
    """check() from end to end, with shell scripts for programs."""

    DEVICE = device.Device(0, "NVIDIA H200", "sm_90", "13.0", 132, 50 << 20, 141 << 30)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.program("bin/lathe", """
            if [ "$1" = doctor ]; then echo '{"nvrtc": {"version": "13.0"}}'; exit 5; fi
            test "$3 $4" = "--target cuda" || exit 1
            echo '{"name": "'"$2"' bf16 8x64", "target": "cuda:sm_90a", "median_ms": 0.5, "gb_per_s": 4000}'
            """)
        self.program("bin/kernel_tests", """
            test "$LATHE_TEST_TARGETS" = cuda || exit 3
            echo '%s' > "$LATHE_TEST_REPORT"
            """ % json.dumps(row()))
        self.program("peers/ceilings_torch.py", 'print(\'{"name": "gemm_bf16_tflop_per_s", "value": 790.0}\')',
                     shebang="python3")
        self.program("peers/rms_norm_torch.py", """
            import json, sys
            assert sys.argv[1:] == ["--device=cuda", "--case=rms_norm bf16 8x64"], sys.argv
            print(json.dumps({"name": "rms_norm bf16 8x64", "peer": "torch eager", "median_ms": 1.5}))
            """, shebang="python3")
        (self.root / "revision").write_text("abc\n")

    def program(self, name, text, shebang="sh"):
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/usr/bin/env {shebang}\n" + textwrap.dedent(text))
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def check(self, **options):
        plan = check.Plan(portable=programs.Portable(self.root), results=self.root / "results",
                          peers=self.root / "peers", work=self.root / "work", **options)
        said = []
        original, programs.say = programs.say, said.append
        try:
            code = check.check(plan, FakeDriver(), self.DEVICE)
        finally:
            programs.say = original
        written = sorted((self.root / "results").glob("nvidia-h200-*.json"))
        return code, json.loads(written[0].read_text()), "\n".join(said)

    def verified(self):
        return json.loads((self.root / "results" / "verified.json").read_text())["kernels"]

    def test_all_passed(self):
        code, results, said = self.check()
        self.assertEqual(code, 0, said)
        self.assertEqual(results["run"]["nvrtc"], "13.0")
        self.assertEqual(results["run"]["revision"], "abc")
        self.assertEqual(results["tests"], {"passed": True, "exit": 0, "runs": 1, "failed": []})
        self.assertEqual(results["ceilings"], {"copy_gb_per_s": round(2 * (1 << 30) / 1e6, 1),
                                               "gemm_bf16_tflop_per_s": 790.0})
        self.assertEqual([row["name"] for row in results["benchmarks"]["lathe"]],
                         [f"{op} bf16 8x64" for op in benchmarks.OPS])
        self.assertEqual([(row["name"], row["times_as_fast"]) for row in results["benchmarks"]["comparison"]],
                         [("rms_norm bf16 8x64", 3.0)])
        self.assertEqual(self.verified()[0]["runs"][0]["device"], "NVIDIA H200")

    def test_a_failed_kernel_fails_the_check_and_is_not_verified(self):
        self.program("bin/kernel_tests", "echo '%s' > \"$LATHE_TEST_REPORT\"; exit 1" % json.dumps(row(passed=False)))
        code, results, _ = self.check()
        self.assertEqual(code, 2)
        self.assertEqual(results["tests"]["failed"], ["rms_norm hidden_size=8"])
        self.assertEqual(self.verified(), [])

    def test_tests_that_ran_nothing_on_the_gpu_have_not_passed(self):
        elsewhere = json.dumps(row(target="cpu:x86-64-v3"))
        self.program("bin/kernel_tests", f"echo '{elsewhere}' > \"$LATHE_TEST_REPORT\"; exit 0")
        code, results, _ = self.check(with_benchmarks=False)
        self.assertEqual(code, 2)
        self.assertFalse(results["tests"]["passed"])

    def test_a_benchmark_that_fails_fails_the_check(self):
        self.program("bin/lathe", "exit 2")
        code, results, _ = self.check(with_tests=False)
        self.assertEqual(code, 2)
        self.assertEqual(results["benchmarks"]["lathe"], [])

    def test_only_the_ops_asked_for_are_measured(self):
        _, results, _ = self.check(with_tests=False, ops=("rope",))
        self.assertEqual([row["name"] for row in results["benchmarks"]["lathe"]], ["rope bf16 8x64"])

    def test_a_missing_peer_is_said_and_does_not_fail_the_check(self):
        self.program("peers/rms_norm_torch.py", "import sys; sys.exit('no torch')", shebang="python3")
        code, results, said = self.check()
        self.assertEqual(code, 0)
        self.assertEqual(results["benchmarks"]["peers"], [])
        self.assertIn("rms_norm_torch.py: skipped", said)

    def test_sanitizers_run_the_tests_and_count(self):
        self.program("tools/compute-sanitizer", """
            case "$2" in memcheck) shift 4; exec "$@";; esac
            echo 'ERROR SUMMARY: 1 error'; exit 9
            """)
        path = os.environ["PATH"]
        os.environ["PATH"] = f"{self.root / 'tools'}:{path}"
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        self.program("bin/kernel_tests", 'test "$LATHE_TEST_TARGETS" = cuda')
        code, results, said = self.check(sanitizers=("memcheck", "racecheck"), with_tests=False,
                                         with_benchmarks=False)
        self.assertEqual(results["sanitizers"], {"memcheck": True, "racecheck": False})
        self.assertEqual(code, 2)
        self.assertIn("ERROR SUMMARY: 1 error", said)


if __name__ == "__main__":
    unittest.main()
