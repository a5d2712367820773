#include "codegen/canonical.h"

#include <type_traits>
#include <variant>

#include "codegen/field_text.h"
#include "codegen/spec_fields.h"

namespace lathe::codegen {

std::string canonical_text(const KernelSpec& spec) {
  return std::visit(
      [](const auto& s) {
        using Spec = std::decay_t<decltype(s)>;
        std::string text(SpecFields<Spec>::op);
        text += ' ';
        field_text::append_fields(text, s, ' ');
        return text;
      },
      spec);
}

std::size_t hash_of(const KernelSpec& spec) {
  return std::visit(
      [&](const auto& s) {
        std::size_t hash = spec.index();
        for_each_field<std::decay_t<decltype(s)>>(
            [&](const auto& field) { hash = field_text::mix(hash, field_text::bits_of(s.*field.member)); });
        return hash;
      },
      spec);
}

}  // namespace lathe::codegen
