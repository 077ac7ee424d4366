// PartitionFetch: looks at one partition of a Fetch: finds it, checks epochs and offset, and finds the records to send.
// One per request. Executor: the broker's.
#pragma once

#include <optional>
#include <vector>

#include "broker/handlers/services.h"
#include "broker/log/log.h"
#include "broker/partitions/fetch_sessions.h"
#include "broker/partitions/partition.h"

namespace farshore::broker {

// The data of one partition for the client, at one moment.
struct FetchedPartition {
  FetchSession::Position target;
  kafka::ErrorCode error = kafka::ErrorCode::kNone;
  LeadershipEpoch epoch{-1};
  LogEnds ends;
  bool ends_known = false;
  bool unknown = false;   // there is no such topic or partition
  bool left_out = false;  // there is more to read than was taken
  LogSlice slice;
  std::optional<EpochEnd> diverging;
  std::vector<AbortedTxn> aborted;

  FetchAnswer answer() const;
};

class PartitionFetch {
 public:
  PartitionFetch(Services& services, FetchSession& session, bool by_topic_id, bool read_committed)
      : services_(services), session_(session), by_topic_id_(by_topic_id), read_committed_(read_committed) {}

  // At most `room` bytes; if `first`, at least one batch, however large (KIP-74).
  Task<FetchedPartition> read(FetchSession::Position target, int64_t room, bool first);
  // Finds and checks as read() does, and reads nothing.
  FetchedPartition look(FetchSession::Position target);

 private:
  FetchedPartition find(FetchSession::Position target, PartitionPtr& partition);
  void check_offset(Partition& partition, FetchedPartition& fetched) const;
  Task<void> read_records(PartitionPtr partition, FetchedPartition& fetched, int64_t room, bool first);
  Offset visible(const LogEnds& ends) const { return read_committed_ ? ends.last_stable : ends.high_watermark; }

  Services& services_;
  FetchSession& session_;
  const bool by_topic_id_, read_committed_;
};

}  // namespace farshore::broker
