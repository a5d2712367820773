// on_every_target: one body, every device at hand.
#pragma once

#include "tests/support/catch.h"
#include "tests/support/test_targets.h"

namespace lathe::tests {

/// The same body on every target. A target that is not there is a failure if it was asked for, else a warning
/// in the log.
template <class Body>
void on_every_target(Body body) {
  int ran = 0;
  for (const TestTarget& target : test_targets()) {
    if (!target.runtime) {
      if (targets_are_required()) FAIL(target.name << " is not there: " << target.reason);
      WARN("skipped on " << target.name << ": " << target.reason);
      continue;
    }
    INFO("on " << target.name);
    body(*target.runtime);
    ++ran;
  }
  if (ran == 0) WARN("no device at all: nothing was tested");
}

}  // namespace lathe::tests
