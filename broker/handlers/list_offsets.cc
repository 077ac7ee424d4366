// ListOffsets 1-10: the offset of a point in time, and the special ones below. Only what a consumer may see counts: the
// high watermark, or the last stable offset for read_committed.
#include <algorithm>
#include <set>
#include <utility>

#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/partition_lookup.h"
#include "proto/kafka/messages/list_offsets.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using Answer = kafka::ListOffsetsResponse::ListOffsetsPartitionResponse;
using Asked = kafka::ListOffsetsRequest::ListOffsetsPartition;

// Instead of a timestamp.
enum Special : int64_t {
  kLatest = -1,
  kEarliest = -2,
  kMaxTimestamp = -3,   // KIP-734
  kEarliestLocal = -4,  // KIP-405: of what is not only in a remote tier; there is none, so it is the earliest
  kLatestTiered = -5,   // KIP-1005: nothing is in a remote tier
};

constexpr int8_t kReadCommitted = 1;
constexpr int32_t kConsumer = -1, kDebuggingConsumer = -2;

bool known_special(int64_t timestamp, int16_t version) {
  switch (timestamp) {
    case kLatest:
    case kEarliest:
      return true;
    case kMaxTimestamp:
      return version >= 7;
    case kEarliestLocal:
      return version >= 8;
    case kLatestTiered:
      return version >= 9;
    default:
      return false;
  }
}

void say(Answer& answer, int64_t timestamp, Offset offset, LogEpoch epoch) {
  answer.timestamp = timestamp;
  answer.offset = offset.value();
  answer.leader_epoch = epoch.value();
}

// The epoch in which the log begins, also while it is empty.
LogEpoch first_epoch(const Log& log, const LogEnds& ends) {
  return ends.log_start < ends.end ? log.epoch_at(ends.log_start) : log.last_epoch();
}

Task<Code> look_up(PartitionPtr partition, Asked asked, bool read_committed, Answer& answer) {
  Log& log = partition->log();
  LogEnds ends = log.ends();
  Offset visible = read_committed ? ends.last_stable : ends.high_watermark;
  switch (asked.timestamp) {
    case kLatest:
      // The log's lineage: the leadership epoch, except on a mirror, where the epochs are the source's.
      say(answer, -1, visible, log.last_epoch());
      co_return Code::kNone;
    case kEarliest:
      say(answer, -1, ends.log_start, first_epoch(log, ends));
      co_return Code::kNone;
    case kEarliestLocal:
      say(answer, -1, ends.local_log_start, log.epoch_at(ends.local_log_start));
      if (ends.local_log_start == ends.end) answer.leader_epoch = log.last_epoch().value();
      co_return Code::kNone;
    case kLatestTiered:
      co_return Code::kNone;  // -1: none
    default:
      break;
  }
  Result<std::optional<OffsetAndTime>> found = std::optional<OffsetAndTime>();
  if (asked.timestamp == kMaxTimestamp)
    found = co_await log.offset_of_max_time();
  else
    found = co_await log.offset_for_time(asked.timestamp);
  if (!found) co_return kafka_error(found.error());
  ends = log.ends();
  visible = read_committed ? ends.last_stable : ends.high_watermark;
  if (*found && (*found)->offset < visible) say(answer, (*found)->timestamp_ms, (*found)->offset, (*found)->epoch);
  co_return Code::kNone;
}

}  // namespace

Task<Result<kafka::ListOffsetsResponse>> handle_list_offsets(RequestContext& context,
                                                             kafka::ListOffsetsRequest request) {
  Services& services = context.services;
  kafka::ListOffsetsResponse response;
  const bool read_committed = request.isolation_level == kReadCommitted;
  const bool replica = request.replica_id != kConsumer && request.replica_id != kDebuggingConsumer;
  std::set<std::pair<std::string_view, int32_t>> seen, twice;
  for (const auto& topic : request.topics)
    for (const auto& asked : topic.partitions)
      if (!seen.emplace(topic.name, asked.partition_index).second) twice.emplace(topic.name, asked.partition_index);
  TurnBudget turn(services.env);
  for (const auto& topic : request.topics) {
    kafka::ListOffsetsResponse::ListOffsetsTopicResponse to;
    to.name = topic.name;
    for (const auto& asked : topic.partitions) {
      if (turn.spend(kListElementWork)) co_await turn.next_turn();
      if (seen.erase({topic.name, asked.partition_index}) == 0) continue;  // answered
      Answer answer;
      answer.partition_index = asked.partition_index;
      Code error = Code::kNone;
      if (replica) {
        error = Code::kTopicAuthorizationFailed;
      } else if (twice.count({topic.name, asked.partition_index})) {
        error = Code::kInvalidRequest;
      } else if (asked.timestamp < 0 && !known_special(asked.timestamp, context.api_version)) {
        error = Code::kUnsupportedVersion;
      } else {
        FoundPartition found = find_partition(services.partitions, std::string_view(topic.name), asked.partition_index);
        error = found.error;
        if (found.partition) error = check_leader_epoch(*found.partition, asked.current_leader_epoch);
        if (error == Code::kNone) error = co_await look_up(found.partition, asked, read_committed, answer);
        if (context.api_version < 4) answer.leader_epoch = -1;  // it cannot be said there
      }
      services.metrics.error(error);
      answer.error_code = static_cast<int16_t>(error);
      to.partitions.push_back(answer);
    }
    if (!to.partitions.empty()) response.topics.push_back(std::move(to));  // as Kafka, which answers by partition
  }
  co_return response;
}

ApiEntry list_offsets_api() { return api<handle_list_offsets>("ListOffsets", {1, 10}, {kTopicDescribe}); }

}  // namespace farshore::broker
