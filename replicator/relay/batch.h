// One batch on its way through a relay: whether it may be sent as it is, how it is stamped, and what the target's
// refusal means. Pure. Source: Apache Kafka 4.1, which validates produced batches in LogValidator and
// ProducerAppendInfo.
#pragma once

#include <optional>
#include <string>

#include "offsets/translation/types.h"
#include "proto/batch/batch.h"
#include "proto/kafka/error_code.h"

namespace farshore::replicator {

// The batch takes offsets at the source and holds no record of an application: a transaction marker (each takeover of a
// relay leaves one, so a relayed topic is full of them), or a batch whose records were all compacted away. It is passed
// over: nothing of it is written to the target, and an anchor behind it records that.
bool carries_no_record(const BatchHeader& batch);

// kUnsupported, with the reason, for what Kafka would refuse or change: transactional batches, offsets without a record
// inside (after compaction), LogAppendTime (a CreateTime target would show the original times).
Status can_relay_raw(const BatchHeader& batch);

// Makes the only batch of `run` ours: producer, sequence, base offset 0, no leader epoch, no delete horizon (it is the
// source's cleaner's). The CRC is combined: damaged bytes keep a wrong CRC.
void stamp_for_relay(BatchRun& run, kafka::ProducerIdentity producer, int32_t sequence);

// Names a batch in errors.
struct RefusedBatch {
  std::string target_topic;
  int32_t partition = 0;
  SourceOffset source;
  size_t bytes = 0;
  int64_t max_timestamp_ms = -1;
};

// Meaning of the answer to one partition of a Produce request (not kNone). kFenced: another gateway has taken the
// partition over. kInvalidArgument, kPermissionDenied: final; the detail names the batch and the setting to change.
// After any other error the batch may be stored or not: the partition is taken over again.
Error produce_error(int16_t code, const std::optional<std::string>& message, const RefusedBatch& batch);

// The code speaks of the target's condition (no leader, too few replicas, a full disk), not of the batch: the same
// batch may be taken later, however often it is refused now.
bool refused_for_now(int16_t code);
// The target has refused this batch `times` times in a row with the same code. Final: kInvalidArgument.
Error always_refused(int16_t code, const std::optional<std::string>& message, const RefusedBatch& batch, int times);

}  // namespace farshore::replicator
