// Where partitions of the source begin and end, asked of their broker: for positions that the broker has said to be out
// of range. Executor: the Env's. Source: ListOffsets with the timestamps -2 (log start) and -1 (high watermark).
#pragma once

#include <map>
#include <vector>

#include "base/env.h"
#include "proto/kafka/client/client.h"
#include "replicator/fetch_session.h"

namespace farshore::replicator {

struct LogRange {
  SourceOffset log_start, end;
};

// A partition that the broker does not answer for is missing in the result. Errors: the connection's. Each of the two
// requests ends by `timeout`.
Task<Result<std::map<LinkPartition, LogRange>>> log_ranges(Env& env, kafka::Client& client,
                                                           std::vector<FetchSession::Partition> partitions,
                                                           Duration timeout);

}  // namespace farshore::replicator
