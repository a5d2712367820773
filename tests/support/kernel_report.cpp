#include "tests/support/kernel_report.h"

#include <cstdlib>
#include <fstream>

#include <nlohmann/json.hpp>

#include "cache/digest.h"
#include "codegen/canonical.h"
#include "codegen/op.h"
#include "codegen/render.h"

namespace lathe::tests {

void report_kernel(const KernelSpec& given, const Target& target, bool passed) {
  const char* path = std::getenv("LATHE_TEST_REPORT");
  if (path == nullptr) return;
  const codegen::Op& op = codegen::op_of(given);
  const KernelSpec spec = op.normalize(given).value();
  const auto source = codegen::render(spec, target, codegen::TemplateLibrary::embedded()).value();
  std::string text = source.text;
  for (const codegen::SourceFile& header : source.headers) text += header.name + "\n" + header.text;
  const nlohmann::json line = {{"op", op.name},
                               {"spec", codegen::canonical_text(spec)},
                               {"target", target.text()},
                               {"source_digest", cache::digest_of(text).hex()},
                               {"passed", passed}};
  std::ofstream(path, std::ios::app) << line.dump() + "\n";
}

}  // namespace lathe::tests
