// A record of which kernels were run where: what tests/bench/results/verified.json is made of.
#pragma once

#include <lathe/specs.h>
#include <lathe/target.h>

namespace lathe::tests {

/// Appends a JSON line {"op", "spec", "target", "source_digest", "passed"} to the file that LATHE_TEST_REPORT
/// names; nothing if it names none. The digest is that of the rendered source, so that a changed kernel
/// counts as not verified.
void report_kernel(const KernelSpec& spec, const Target& target, bool passed);

}  // namespace lathe::tests
