#include "runtime/pipeline.h"

#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/canonical.h"
#include "codegen/op.h"
#include "codegen/render.h"
#include "codegen/spec_json.h"
#include "runtime/base/try.h"
#include "runtime/binary_codec.h"
#include "runtime/kernel_state.h"

namespace lathe::runtime {

namespace {

using Clock = std::chrono::steady_clock;

/// An error of a later stage does not know the spec; a reader of it wants to.
Error with_spec(Error error, const KernelSpec& spec, const Target& target) {
  if (error.spec.empty()) error.spec = codegen::canonical_text(spec) + " for " + target.text();
  return error;
}

/// Failures that will happen again: the same text gives the same diagnostics.
bool is_permanent(const Error& error) {
  return error.code == ErrorCode::invalid_spec || error.code == ErrorCode::unsupported ||
         error.code == ErrorCode::render_failed || error.code == ErrorCode::compile_failed;
}

/// The emulator runs code that was made for the GPU.
Target code_target(Target target) {
  if (target.backend == Backend::emulate) target.backend = Backend::cuda;
  return target;
}

}  // namespace

Pipeline::Pipeline(PipelineParts parts)
    : parts_(std::move(parts)), counters_(parts_.on_event), cache_(parts_.stores, parts_.disk, counters_) {}

// ---- The narrative: from a spec to a kernel that can be launched.

Result<Kernel> Pipeline::kernel(const KernelSpec& spec) {
  // The table answers in nanoseconds; everything below it takes at least microseconds.
  if (const auto known = table_.find(spec)) {
    if (const Kernel* kernel = std::get_if<Kernel>(&*known)) {
      counters_.table_hits.fetch_add(1, std::memory_order_relaxed);
      return *kernel;
    }
    return *std::get<std::shared_ptr<const Error>>(*known);
  }
  // Of several threads that want the kernel, one makes it.
  return kernels_in_flight_.run(codegen::canonical_text(spec), [&]() -> Result<Kernel> {
    auto kernel = make_kernel(spec);
    // A failed compile would fail again, and cost its time again: it is remembered too.
    if (kernel) {
      table_.insert(spec, *kernel);
    } else if (is_permanent(kernel.error())) {
      table_.insert(spec, std::make_shared<const Error>(kernel.error()));
    }
    return kernel;
  });
}

Result<Kernel> Pipeline::make_kernel(const KernelSpec& given) {
  if (!parts_.executor) return *parts_.no_executor;
  // Two spellings of one kernel become one here.
  LATHE_TRY(const KernelSpec spec, codegen::op_of(given).normalize(given));
  if (const auto known = loaded_kernel(spec)) return *known;

  const Target target = code_target(parts_.target);
  auto obtained = find_or_compile(spec, target);
  if (!obtained) return with_spec(std::move(obtained).error(), spec, parts_.target);

  auto kernel = load(spec, *obtained);
  // Not where memory is short or the device is lost: those bytes are as good as any.
  const bool is_refused = !kernel && kernel.error().code == ErrorCode::load_failed;
  if (is_refused && obtained->was_cached && parts_.mode != Mode::frozen) {
    // Sound bytes that this driver refuses: made elsewhere, or by a driver that was newer. Once more from the
    // source.
    counters_.warn(fmt::format("cached kernel {} was refused, compiling it again: {}",
                               obtained->key.digest.hex(), kernel.error().message));
    cache_.drop(obtained->key);
    obtained = find_or_compile(spec, target);
    if (obtained) kernel = load(spec, *obtained);
  }
  if (!kernel) return with_spec(std::move(kernel).error(), spec, parts_.target);
  table_.insert(spec, *kernel);
  return kernel;
}

Result<ObtainedBinary> Pipeline::binary(const KernelSpec& given, const Target& wanted) {
  const Target target = code_target(wanted);
  LATHE_TRY(const KernelSpec spec, codegen::op_of(given).normalize(given));
  auto obtained = find_or_compile(spec, target);
  if (!obtained) return with_spec(std::move(obtained).error(), spec, target);
  return obtained;
}

Result<ObtainedBinary> Pipeline::find_or_compile(const KernelSpec& spec, const Target& target) {
  if (parts_.trace) {
    if (auto added = parts_.trace->add(spec, target); !added) counters_.warn(added.error().message);
  }
  // Rendering is pure and takes microseconds, so the key can be of the very text that would be compiled.
  LATHE_TRY(const codegen::KernelSource source, codegen::render(spec, target, parts_.templates));
  LATHE_TRY(const std::vector<KernelKey> keys, candidate_keys(spec, target, source));
  for (const KernelKey& key : keys) {
    if (auto found = find(key)) return *std::move(found);
  }
  counters_.misses.fetch_add(1, std::memory_order_relaxed);
  counters_.tell(Event::Kind::miss, keys.front().digest.hex(), keys.front().text);
  if (parts_.mode == Mode::frozen) return frozen_miss(keys.front());
  return binaries_in_flight_.run(keys.front().text,
                                 [&] { return compile_once(spec, target, source, keys.front()); });
}

Result<ObtainedBinary> Pipeline::compile_once(const KernelSpec& spec, const Target& target,
                                              const codegen::KernelSource& source, const KernelKey& key) {
  // Another thread may have finished between our miss and our turn, another process while we waited for its
  // lock.
  if (auto found = find(key)) return *std::move(found);
  const BinaryCache::CompileLock lock = cache_.lock_for_compile(key, parts_.lock_timeout);
  if (lock.waited) {
    if (auto found = find(key)) return *std::move(found);
  }
  LATHE_TRY(codegen::KernelBinary binary, compile(source, target, key));
  // Others will read the published entry; this process goes on with its own bytes, which no file system can
  // lose.
  cache_.publish(key, binary, codegen::spec_to_json(spec));
  return ObtainedBinary{key, std::move(binary), false};
}

Result<Kernel> Pipeline::load(const KernelSpec& spec, const ObtainedBinary& obtained) {
  const auto begin = Clock::now();
  LATHE_TRY(auto loaded, parts_.executor->load(obtained.binary));
  auto state = std::make_shared<Kernel::State>();
  state->spec = spec;
  state->target = parts_.target;
  state->key = obtained.key.digest.hex();
  state->resources = obtained.binary.resources;
  state->entries = obtained.binary.entries;
  state->op = &codegen::op_of(spec);
  state->executor = parts_.executor;
  state->loaded = std::move(loaded);
  counters_.tell(Event::Kind::loaded, state->key, codegen::canonical_text(spec), Clock::now() - begin);
  return Kernel(std::move(state));
}

// ---- The steps.

std::optional<Kernel> Pipeline::loaded_kernel(const KernelSpec& spec) const {
  const auto known = table_.find(spec);
  if (!known) return std::nullopt;
  const Kernel* kernel = std::get_if<Kernel>(&*known);
  return kernel == nullptr ? std::nullopt : std::optional(*kernel);
}

/// One key with a compiler. Without one, a key for each compiler that filled the stores: what they hold still
/// runs.
Result<std::vector<KernelKey>> Pipeline::candidate_keys(const KernelSpec& spec, const Target& target,
                                                        const codegen::KernelSource& source) {
  const auto compiler = parts_.toolchains->compiler_for(target.backend);
  std::vector<KernelKey> keys;
  if (compiler) {
    keys.push_back(make_key(spec, target, source, (*compiler)->identity()));
    return keys;
  }
  for (const std::string& identity : cache_.compiler_identities(target)) {
    keys.push_back(make_key(spec, target, source, identity));
  }
  if (keys.empty()) {
    Error error = compiler.error();
    error.message += "; and no cache holds anything for " + target.text();
    return error;
  }
  return keys;
}

std::optional<ObtainedBinary> Pipeline::find(const KernelKey& key) {
  const auto begin = Clock::now();
  auto cached = cache_.find(key);
  if (!cached) return std::nullopt;
  const auto kind = cached->in_memory ? Event::Kind::memory_hit : Event::Kind::disk_hit;
  auto& counter = cached->in_memory ? counters_.memory_hits : counters_.disk_hits;
  counter.fetch_add(1, std::memory_order_relaxed);
  counters_.tell(kind, key.digest.hex(), cached->found_in, Clock::now() - begin);
  return ObtainedBinary{key, std::move(cached->binary), true};
}

Result<codegen::KernelBinary> Pipeline::compile(const codegen::KernelSource& source, const Target& target,
                                                const KernelKey& key) {
  LATHE_TRY(const codegen::Compiler* compiler, parts_.toolchains->compiler_for(target.backend));
  counters_.compiles.fetch_add(1, std::memory_order_relaxed);
  const auto begin = Clock::now();
  auto binary = compiler->compile(source, target);
  const auto duration = Clock::now() - begin;
  counters_.compile_ns.fetch_add(std::chrono::nanoseconds(duration).count(), std::memory_order_relaxed);
  if (!binary) {
    counters_.compile_failures.fetch_add(1, std::memory_order_relaxed);
    return std::move(binary).error();
  }
  binary->compile_time = duration;
  counters_.tell(Event::Kind::compiled, key.digest.hex(), key.text, duration);
  return binary;
}

Error Pipeline::frozen_miss(const KernelKey& key) {
  const NearestEntry nearest = cache_.nearest(key);
  std::string message = "the mode is frozen and no store holds this kernel";
  message += nearest.key.empty() ? "; the stores are empty"
                                 : fmt::format("; the nearest entry, {}, differs in {}", nearest.key,
                                               fmt::join(nearest.differences, "; "));
  return {.code = ErrorCode::frozen_miss,
          .stage = Stage::store,
          .message = std::move(message),
          .hint = "add the spec to what `lathe precompile` or `lathe warm` is given, or use Mode::compile"};
}

Result<Explanation> Pipeline::explain(const KernelSpec& given) {
  LATHE_TRY(const KernelSpec spec, codegen::op_of(given).normalize(given));
  const Target target = code_target(parts_.target);
  LATHE_TRY(const codegen::KernelSource source, codegen::render(spec, target, parts_.templates));
  LATHE_TRY(const std::vector<KernelKey> keys, candidate_keys(spec, target, source));
  Explanation explanation;
  for (const KernelKey& key : keys) {
    explanation.key = key.digest.hex();
    explanation.key_text = key.text;
    for (std::string& line : cache_.search_report(key)) {
      if (explanation.found_in.empty() && line.ends_with(": hit")) {
        explanation.found_in = line.substr(0, line.size() - 5);
      }
      explanation.searched.push_back(std::move(line));
    }
    if (!explanation.found_in.empty()) break;
  }
  if (loaded_kernel(spec)) explanation.found_in = "loaded";
  if (explanation.found_in.empty()) {
    NearestEntry nearest = cache_.nearest(keys.front());
    explanation.nearest = std::move(nearest.key);
    explanation.differences = std::move(nearest.differences);
  }
  return explanation;
}

Stats Pipeline::stats() const {
  Stats stats = counters_.snapshot();
  stats.corrupt_entries += cache_.corrupt_count();
  return stats;
}

}  // namespace lathe::runtime
