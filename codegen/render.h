// render: spec + target -> KernelSource. Pure: the same input gives the same text on every machine.
#pragma once

#include <string>

#include <lathe/error.h>
#include <lathe/specs.h>
#include <lathe/target.h>

#include "codegen/kernel_source.h"
#include "codegen/op.h"
#include "codegen/template_library.h"

namespace lathe::codegen {

/// Fills a template's parameter block.
///
/// The block stands between the lines `// lathe:parameters` and `// lathe:end`. Each line in it is blank, a
/// comment, or one declaration `using NAME = VALUE;`, `constexpr TYPE NAME = VALUE;` or `constexpr TYPE
/// NAME[] = {VALUES};`. The VALUE written there is a sample that makes the file compile as it stands;
/// rendering replaces it by the parameter NAME. A declaration without parameter, a parameter without
/// declaration, any other line, no block or two: render_failed with template and line.
Result<std::string> fill_parameters(const SourceFile& file, const Parameters& parameters);

/// REQUIRES: a normalized spec, a target that is not native.
Result<KernelSource> render(const KernelSpec& spec, const Target& target, const TemplateLibrary& library);

}  // namespace lathe::codegen
