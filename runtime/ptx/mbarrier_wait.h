// mbarrier.test_wait and mbarrier.try_wait.
#pragma once

#include "runtime/ptx/decoding.h"

namespace lathe::runtime::ptx {

/// The rest of them; `may_suspend`: try_wait, which may have a time limit.
Execute decode_mbarrier_wait(Decoding& decoding, bool may_suspend);

/// Takes `.shared::cta` and the like.
Space take_mbarrier_space(Decoding& decoding);

}  // namespace lathe::runtime::ptx
