// KernelBinary <-> cache entry: with key.*, the only code that knows both codegen/ and cache/.
#pragma once

#include <string>

#include <lathe/error.h>

#include "cache/entry.h"
#include "codegen/kernel_binary.h"
#include "runtime/key.h"

namespace lathe::runtime {

/// Metadata is one JSON object: entries, launch, resources, log, compile_ns and the spec as JSON, so that an
/// entry can be shown, explained and rebuilt without anything beside it.
cache::Entry to_entry(const KernelKey& key, const codegen::KernelBinary& binary,
                      const std::string& spec_json);

/// Errors: io_failed, stage store, when the metadata or the sections are not ours; callers treat that as a
/// miss.
Result<codegen::KernelBinary> from_entry(cache::Entry entry);

}  // namespace lathe::runtime
