#include "codegen/kernel_binary.h"

namespace lathe::codegen {

std::string_view name_of(PayloadKind kind) {
  switch (kind) {
    case PayloadKind::cubin:
      return "cubin";
    case PayloadKind::ptx:
      return "ptx";
    case PayloadKind::object:
      return "object";
  }
  return "unknown payload";
}

}  // namespace lathe::codegen
