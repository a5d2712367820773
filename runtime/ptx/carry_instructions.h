// Decoding of integer arithmetic of extended precision: the forms with a carry.
#pragma once

#include "runtime/ptx/decoding.h"

namespace lathe::runtime::ptx {

// add.cc, sub.cc and mad.cc, without a carry in. The modifier .cc is taken already.
Execute decode_add_cc(Decoding& d);
Execute decode_sub_cc(Decoding& d);
Execute decode_mad_cc(Decoding& d);

// With a carry in; .cc or not.
Execute decode_addc(Decoding& d);
Execute decode_subc(Decoding& d);
Execute decode_madc(Decoding& d);

}  // namespace lathe::runtime::ptx
