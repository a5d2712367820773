// Block-sparse attention: a block of rows and the blocks of columns that it sees are a request and its pages.
// Pages are those of several requests, in any order.
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <lathe/attention_plan.h>

#include "tests/kernels/attention_tensors.h"
#include "tests/reference/attention.h"
#include "tests/support/catch.h"
#include "tests/support/every_target.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/host_tensor.h"

using namespace lathe;
using namespace lathe::tests;

namespace {

constexpr std::int64_t kDim = 64, kQueryHeads = 4, kKvHeads = 2;

struct Sparsity {
  std::int64_t rows, columns;              ///< of the whole matrix
  std::int64_t block_rows, block_columns;  ///< of a block
};

/// Which blocks there are, row by row.
struct Blocks {
  std::vector<std::int64_t> query_indptr{0}, kv_lengths, kv_indptr{0};
  std::vector<std::int32_t> columns;
};

Blocks drawn(const Sparsity& sparsity, std::mt19937& random) {
  Blocks blocks;
  for (std::int64_t row = 0; row < sparsity.rows; row += sparsity.block_rows) {
    const std::size_t before = blocks.columns.size();
    for (std::int32_t column = 0; column < sparsity.columns / sparsity.block_columns; ++column) {
      if (random() % 3 == 0) blocks.columns.push_back(column);
    }
    blocks.query_indptr.push_back(row + sparsity.block_rows);
    blocks.kv_indptr.push_back(static_cast<std::int64_t>(blocks.columns.size()));
    blocks.kv_lengths.push_back(static_cast<std::int64_t>(blocks.columns.size() - before) *
                                sparsity.block_columns);
  }
  return blocks;
}

HostTensor normal_rows(std::int64_t rows, std::int64_t heads, std::mt19937& random) {
  std::normal_distribution<double> normal;
  HostTensor tensor(bf16, static_cast<std::size_t>(rows * heads * kDim));
  for (std::size_t i = 0; i < tensor.count(); ++i) tensor.set(i, normal(random));
  return tensor;
}

std::vector<double> row_of(const HostTensor& tensor, std::int64_t row) {
  std::vector<double> values;
  for (std::int64_t d = 0; d < kDim; ++d)
    values.push_back(tensor.at(static_cast<std::size_t>(row * kDim + d)));
  return values;
}

void check(Runtime& runtime, const Sparsity& sparsity) {
  std::mt19937 random(3);
  const Blocks blocks = drawn(sparsity, random);
  const AttentionTensor q(runtime, normal_rows(sparsity.rows, kQueryHeads, random)),
      k(runtime, normal_rows(sparsity.columns, kKvHeads, random)),
      v(runtime, normal_rows(sparsity.columns, kKvHeads, random)),
      o(runtime, HostTensor::poisoned(bf16, q.before.count()));
  GuardedBuffer pages(runtime, blocks.columns.size() * 4);
  pages.upload(blocks.columns.data());
  const auto kernel = runtime
                          .get(AttentionSpec{.query_heads = kQueryHeads,
                                             .kv_heads = kKvHeads,
                                             .head_dim = kDim,
                                             .storage = KvStorage::paged,
                                             .page_size = sparsity.block_columns})
                          .value();
  const AttentionPlan plan = AttentionPlan::make(kernel,
                                                 {.query_indptr = blocks.query_indptr,
                                                  .kv_lengths = blocks.kv_lengths,
                                                  .kv_indptr = blocks.kv_indptr},
                                                 {.may_split = false})
                                 .value();
  GuardedBuffer bytes(runtime, plan.bytes().size());
  bytes.upload(plan.bytes().data());
  AttentionArgs args;
  args.q = q.device.data();
  args.k = k.device.data();
  args.v = v.device.data();
  args.o = o.device.data();
  args.page_indices = pages.data();
  plan.apply(args, bytes.data());
  kernel.launch(args, {}).value();
  runtime.synchronize({}).value();

  const HostTensor result = o.now();
  double worst = 0;
  for (std::int64_t row = 0; row < sparsity.rows; ++row) {
    const auto block = static_cast<std::size_t>(row / sparsity.block_rows);
    for (std::int64_t head = 0; head < kQueryHeads; ++head) {
      std::vector<std::vector<double>> keys, values;
      for (std::int64_t i = 0; i < blocks.kv_lengths[block]; ++i) {
        const std::int64_t at = blocks.kv_indptr[block] + i / sparsity.block_columns;
        const std::int64_t column = blocks.columns[static_cast<std::size_t>(at)] * sparsity.block_columns +
                                    i % sparsity.block_columns;
        keys.push_back(row_of(k.before, column * kKvHeads + head / 2));
        values.push_back(row_of(v.before, column * kKvHeads + head / 2));
      }
      auto expected = reference::attention_row({.query_length = 1,
                                                .kv_length = static_cast<std::int64_t>(keys.size()),
                                                .q = row_of(q.before, row * kQueryHeads + head),
                                                .scale = 1 / std::sqrt(static_cast<double>(kDim))},
                                               keys, values);
      expected.o.resize(kDim);
      expected.magnitude.resize(kDim);
      for (std::int64_t d = 0; d < kDim; ++d) {
        const auto at = static_cast<std::size_t>((row * kQueryHeads + head) * kDim + d);
        const double room = expected.magnitude[static_cast<std::size_t>(d)] * 0x1p-7 + 0x1p-24;
        const double error = std::abs(result.at(at) - expected.o[static_cast<std::size_t>(d)]) / room;
        worst = std::max(worst, std::isnan(error) ? 1e30 : error);
      }
    }
  }
  INFO("blocks of " << sparsity.block_rows << " x " << sparsity.block_columns);
  CHECK(worst <= 1);
}

}  // namespace

TEST_CASE("attention: blocks of a sparse matrix, as requests and pages") {
  on_every_target([](Runtime& runtime) {
    check(runtime, {.rows = 64, .columns = 128, .block_rows = 1, .block_columns = 4});
    check(runtime, {.rows = 64, .columns = 64, .block_rows = 16, .block_columns = 1});
    check(runtime, {.rows = 128, .columns = 256, .block_rows = 4, .block_columns = 16});
  });
}
