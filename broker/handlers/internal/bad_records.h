// The records because of which a batch was refused, for ProduceResponse.record_errors (KIP-467).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker/log/log_options.h"
#include "proto/batch/batch.h"
#include "proto/kafka/error_code.h"

namespace farshore::broker {

struct BadRecord {
  int32_t index;  // in the batch
  std::string message;
};

// Of the one batch of `run`, which was refused with `code`: records without a key (INVALID_RECORD of a compacted
// topic), or with a time outside of the topic's limits (INVALID_TIMESTAMP). Empty: the reason is not in single records,
// or they cannot be read.
std::vector<BadRecord> bad_records(const BatchRun& run, kafka::ErrorCode code, const LogOptions& options,
                                   int64_t now_ms);

}  // namespace farshore::broker
