#include "tests/bench/payload.h"

#include <algorithm>
#include <string>

#include "proto/batch/builder.h"

namespace farshore::bench {

namespace {

constexpr size_t kRecordOverheadMax = 32;  // lengths, deltas, attributes, header count: enough room for the last one
constexpr const char* kWords[] = {"order", "customer", "region", "amount", "currency", "status", "created", "shipped",
                                  "item",  "quantity", "EUR",    "west",   "east",     "open",   "closed",  "pending"};

std::string random_value(Random& random, size_t size, bool text) {
  std::string value;
  value.reserve(size + 16);
  while (value.size() < size) {
    if (text) {
      value += kWords[random.below(std::size(kWords))];
      value += random.chance(0.5) ? "=" + std::to_string(random.below(100'000)) + ";" : ",";
    } else {
      uint64_t word = random.next();
      value.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
  }
  value.resize(size);
  return value;
}

// Adds records until one more would not fit, and a last one that fills the batch.
Batch make_batch(Random& random, const PayloadOptions& options, WallTime now) {
  const bool text = options.compression != Compression::kNone;
  BatchBuilder builder;
  builder.compression(options.compression);
  Batch batch;
  auto add = [&](size_t size) {
    builder.add(now.milliseconds_since_epoch, std::nullopt, random_value(random, size, text));
    batch.value_bytes += size;
  };
  auto room = [&] {
    size_t used = kBatchHeaderBytes + builder.records_bytes();
    return options.batch_bytes > used ? options.batch_bytes - used : 0;
  };
  while (room() >= 2 * (options.record_bytes + kRecordOverheadMax)) add(options.record_bytes);
  // The overhead of the last record depends on its size by a byte or two: tried until it fits.
  const size_t left = room();
  for (size_t overhead = 7; overhead < std::min(kRecordOverheadMax, left); ++overhead) {
    BatchBuilder trial = builder;
    trial.add(now.milliseconds_since_epoch, std::nullopt, std::string(left - overhead, 'x'));
    if (kBatchHeaderBytes + trial.records_bytes() != options.batch_bytes) continue;
    add(left - overhead);
    break;
  }
  batch.records = builder.record_count();
  batch.bytes = builder.build();
  return batch;
}

}  // namespace

std::vector<Batch> make_batches(const PayloadOptions& options, WallTime now) {
  Random random(options.seed);
  std::vector<Batch> batches;
  for (size_t i = 0; i < std::max<size_t>(options.distinct, 1); ++i)
    batches.push_back(make_batch(random, options, now));
  return batches;
}

}  // namespace farshore::bench
