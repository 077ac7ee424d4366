// Makes one batch of several: for a target that takes one batch of a partition in a request (Kafka's Produce), where
// many small ones wait. Slow path: every record is decoded and written again, with its key, value, headers, offset and
// time; compression stays the same codec.
#pragma once

#include "proto/batch/batch.h"

namespace farshore {

// `next` follows `last` without a gap, and both say the same of their records: epoch, compression, kind of time. None
// is a control batch, part of a transaction, or was compacted.
bool can_merge(const BatchHeader& last, const BatchHeader& next);

// Of a run in which each batch can_merge() with the one before it. The base offset is that of the first, there is no
// producer. Takes the run's budget along. kCorrupt, kResourceExhausted: records that cannot be read.
Result<BatchRun> merge_batches(BatchRun run, SlabArena& arena);

}  // namespace farshore
