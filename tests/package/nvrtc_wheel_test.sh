#!/usr/bin/env bash
# With the CUDA toolkit hidden, tools/setup fetches NVRTC's wheel, and kernels compile with it.
# usage: nvrtc_wheel_test.sh SOURCE_DIR LATHE_PROGRAM
set -euo pipefail
program=$2
unset LATHE_NVRTC
export LATHE_SETUP_IGNORE_CUDA=1
. "$1/tools/setup"
find_nvrtc
if [ -z "${LATHE_NVRTC:-}" ]; then
  echo "skipped: the wheel could not be fetched"
  exit 77
fi
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
"$program" --cache-dir "$cache" precompile --arch sm_80,sm_90a --spec '{"op": "rms_norm", "hidden_size": 128}'
"$program" --cache-dir "$cache" precompile --arch sm_80,sm_90a --spec '{"op": "rms_norm", "hidden_size": 128}' | grep '0 compiled, 2 from cache'
