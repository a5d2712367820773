#!/usr/bin/env bash
# portable_programs_test.sh LATHE KERNEL_TESTS: the programs of the preset `portable` need glibc and nothing else, and run from any
# folder without an environment.
set -euo pipefail

fail() { echo "portable_programs_test: $1" >&2; exit 1; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for program in "$@"; do
  needed=$(readelf -d "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  for library in $needed; do
    case $library in
      libc.so.* | libm.so.* | ld-linux*) ;;
      *) fail "$program needs $library" ;;
    esac
  done
  if readelf -d "$program" | grep -E 'R(UN)?PATH'; then fail "$program looks for libraries in a folder of the machine that built it"; fi
  cp "$program" "$folder/"
done

cd "$folder"
env -i ./lathe spec rms_norm | grep -q hidden_size || fail "lathe spec does not run"
status=0
env -i ./lathe doctor >doctor.txt || status=$?
((status == 0 || status == 5)) || fail "lathe doctor exits with $status"
grep -q 'LLVM off' doctor.txt || fail "lathe doctor does not say what it was built with"
env -i ./kernel_tests "rms_norm: a NaN in the weight*" >tests.txt 2>&1 || { cat tests.txt >&2; fail "kernel_tests failed"; }
grep -q 'skipped on cpu: this build of Lathe has no CPU executor' tests.txt || fail "kernel_tests does not say what it skips"
