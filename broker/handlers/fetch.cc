// Fetch 4-18: long poll by min_bytes and max_wait, incremental sessions (KIP-227), topic ids, read_committed with the
// list of aborted transactions, epoch fencing (KIP-320), divergence (KIP-595). Record bytes go from the segment file to
// the socket; nothing is read here.
// Only consumers are served. A request that claims to come from a replica is refused (CVE-2018-1288): it would see
// offsets above the high watermark, and would move it.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/fetch_sessions.h"
#include "broker/partitions/partition_lookup.h"
#include "proto/kafka/messages/fetch.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using kafka::FetchRequest;
using kafka::FetchResponse;

constexpr int16_t kSessionsFrom = 7;
constexpr int16_t kTopicIdsFrom = 13;
constexpr int16_t kReplicaStateFrom = 15;
constexpr int8_t kReadCommitted = 1;

bool from_replica(const FetchRequest& request, int16_t version) {
  return (version >= kReplicaStateFrom ? request.replica_state.replica_id : request.replica_id) != -1;
}

FetchSessionRequest session_request(FetchRequest& request, int16_t version) {
  FetchSessionRequest out;
  out.uses_topic_ids = version >= kTopicIdsFrom;
  if (version >= kSessionsFrom) {
    out.session_id = request.session_id;
    out.epoch = request.session_epoch;
  }
  for (const auto& topic : request.topics) {
    for (const auto& asked : topic.partitions) {
      FetchTarget& target = out.targets.emplace_back();
      target.topic = topic.topic;
      target.topic_id = topic.topic_id;
      target.partition = asked.partition;
      target.current_leader_epoch = asked.current_leader_epoch;
      target.fetch_offset = asked.fetch_offset;
      target.last_fetched_epoch = asked.last_fetched_epoch;
      target.bytes_max = asked.partition_max_bytes;
    }
  }
  for (const auto& topic : request.forgotten_topics_data) {
    for (int32_t partition : topic.partitions) {
      FetchTarget& target = out.forgotten.emplace_back();
      target.topic = topic.topic;
      target.topic_id = topic.topic_id;
      target.partition = partition;
    }
  }
  return out;
}

// The data of one partition for the client, at one moment.
struct Served {
  FetchSession::Position target;
  PartitionPtr partition;  // null: `error` says why
  Code error = Code::kNone;
  Offset bound{-1};  // what was visible when this was made; another one now is progress
  LeadershipEpoch epoch{-1};
  LogEnds ends;
  bool ends_known = false;
  LogSlice slice;
  std::optional<EpochEnd> diverging;
  std::vector<AbortedTxn> aborted;
};

class Fetch {
 public:
  Fetch(RequestContext& context, FetchRequest request)
      : context_(context),
        services_(context.services),
        request_(std::move(request)),
        read_committed_(request_.isolation_level == kReadCommitted),
        bytes_max_(std::clamp<int64_t>(request_.max_bytes, 0, services_.config.number("fetch.max.bytes"))),
        bytes_min_(std::clamp<int64_t>(request_.min_bytes, 0, bytes_max_)) {}

  Task<Result<FetchResponse>> run() {
    FetchResponse response;
    if (from_replica(request_, context_.api_version)) {
      refuse_replica(response);
      co_return response;
    }
    MonoTime now = services_.env.now();
    plan_ = services_.fetch_sessions.begin(session_request(request_, context_.api_version), now);
    if (plan_.error != Code::kNone) {
      services_.metrics.error(plan_.error);
      response.error_code = static_cast<int16_t>(plan_.error);
      co_return response;
    }
    Deadline deadline(now + milliseconds(std::max(request_.max_wait_ms, 0)));
    for (;;) {
      co_await collect();
      if (urgent_ || bytes_ >= bytes_min_ || served_.empty() || deadline.passed(services_.env.now())) break;
      if (progressed()) continue;  // while others were read
      const bool still_there = co_await wait_for_progress(deadline);
      if (!still_there) {
        (void)services_.fetch_sessions.finish(plan_, false, services_.env.now());
        co_return Error(ErrorCode::kClosed, "the client is gone");
      }
    }
    answer(response);
    response.session_id = services_.fetch_sessions.finish(plan_, true, services_.env.now());
    co_return response;
  }

 private:
  // Per partition, as Kafka does with a client that may not replicate; at the top level too, where there is one.
  void refuse_replica(FetchResponse& response) {
    services_.metrics.error(Code::kClusterAuthorizationFailed);
    response.error_code = static_cast<int16_t>(Code::kClusterAuthorizationFailed);
    for (const auto& topic : request_.topics) {
      auto& to = response.responses.emplace_back();
      to.topic = topic.topic;
      to.topic_id = topic.topic_id;
      for (const auto& asked : topic.partitions) {
        auto& partition = to.partitions.emplace_back();
        partition.partition_index = asked.partition;
        partition.error_code = static_cast<int16_t>(Code::kTopicAuthorizationFailed);
        partition.high_watermark = -1;
        partition.records = kafka::Records::empty();
      }
    }
  }

  Offset visible(const LogEnds& ends) const { return read_committed_ ? ends.last_stable : ends.high_watermark; }

  Task<void> collect() {
    served_.clear();
    bytes_ = 0;
    urgent_ = false;
    auto& targets = plan_.session->targets();
    served_.reserve(targets.size());
    for (auto at = targets.begin(); at != targets.end(); ++at) {
      Served& served = served_.emplace_back();
      served.target = at;
      co_await serve(served);
      bytes_ += static_cast<int64_t>(served.slice.size_bytes);
      urgent_ |= served.error != Code::kNone || served.diverging;
    }
  }

  Task<void> serve(Served& served) {
    const FetchTarget& target = *served.target;
    FoundPartition found =
        context_.api_version >= kTopicIdsFrom
            ? find_partition(services_.partitions, *services_.metadata.image(), target.topic_id, target.partition)
            : find_partition(services_.partitions, std::string_view(target.topic), target.partition);
    served.error = found.error;
    if (!found.partition) co_return;
    served.partition = std::move(found.partition);
    Partition& partition = *served.partition;
    note_ends(served);
    served.error = check_leader_epoch(partition, target.current_leader_epoch);
    if (served.error != Code::kNone) co_return;
    const Offset from(target.fetch_offset);
    if (target.last_fetched_epoch >= 0) {
      EpochEnd end = partition.log().epoch_end(LogEpoch(target.last_fetched_epoch));
      if (end.epoch < LogEpoch(0) || end.end < Offset(0) || from < served.ends.log_start) {
        served.error = Code::kOffsetOutOfRange;
        co_return;
      }
      if (end.epoch < LogEpoch(target.last_fetched_epoch) || end.end < from) {
        served.diverging = end;
        co_return;
      }
    }
    if (from < served.ends.log_start || from > served.ends.end) {
      served.error = Code::kOffsetOutOfRange;
      co_return;
    }
    if (from >= served.bound) co_return;
    co_await read(served, from);
  }

  void note_ends(Served& served) {
    served.ends = served.partition->ends();
    served.ends_known = true;
    served.bound = visible(served.ends);
    served.epoch = served.partition->leadership_epoch();
  }

  // The first partition with data gets at least one batch, however large; the others what is left (KIP-74).
  Task<void> read(Served& served, Offset from) {
    const bool first = bytes_ == 0;
    const int64_t left = bytes_max_ - bytes_;
    const int64_t room = std::min<int64_t>(left, std::max(served.target->bytes_max, 0));
    if (!first && room <= 0) co_return;
    Log& log = served.partition->log();
    auto slice = co_await log.read(from, read_committed_ ? ReadBound::kLastStable : ReadBound::kHighWatermark,
                                   static_cast<size_t>(std::max<int64_t>(room, 0)));
    if (!slice) {
      served.error = kafka_error(slice.error());
      if (served.error == Code::kKafkaStorageError || served.error == Code::kCorruptMessage)
        services_.env.log().error("a partition cannot be read", {{"topic", served.partition->topic()},
                                                                 {"partition", served.partition->partition()},
                                                                 {"error", slice.error()}});
      co_return;
    }
    if (!first && static_cast<int64_t>(slice->size_bytes) > room) co_return;
    served.slice = std::move(*slice);
    if (!read_committed_ || served.slice.size_bytes == 0) co_return;
    auto aborted = co_await log.aborted_in(served.slice.first, served.slice.next);
    if (aborted) {
      served.aborted = std::move(*aborted);
      co_return;
    }
    served.error = kafka_error(aborted.error());  // without the list, aborted records would be shown
    served.slice = {};
  }

  // Also when a partition came, went, or changed its leader's epoch.
  bool progressed() const {
    return std::any_of(served_.begin(), served_.end(), [&](const Served& served) {
      if (!served.partition) return false;
      if (served.partition->closing() || served.partition->leadership_epoch() != served.epoch) return true;
      LogEnds ends = served.partition->ends();
      return visible(ends) != served.bound || ends.log_start != served.ends.log_start || ends.end < served.ends.end;
    });
  }

  // False: the client is gone, or the broker stops. Nothing runs between the caller's look and the wait, so no wake-up
  // is missed. After a wake-up, collect() looks at the partitions again.
  Task<bool> wait_for_progress(Deadline deadline) {
    for (;;) {
      Wait<void> wait(services_.env);
      for (auto& served : served_) served.partition->progress().add(wait);
      context_.connection.closed.add(wait);
      auto woken = co_await wait.wait(deadline);
      if (context_.connection.closed.closed()) co_return false;
      if (!woken || progressed()) co_return true;
    }
  }

  void answer(FetchResponse& response) {
    FetchSession& session = *plan_.session;
    for (auto& served : served_) {
      FetchTarget& target = *served.target;
      FetchAnswer said;
      said.error = served.error;
      if (served.ends_known) {
        said.high_watermark = served.ends.high_watermark.value();
        said.log_start = served.ends.log_start.value();
      }
      said.has_records = served.slice.size_bytes > 0;
      said.diverging = served.diverging.has_value();
      if (!session.note(target, said, plan_.full)) continue;
      services_.metrics.error(served.error);
      add(response, target, served, said);
      if (said.has_records) session.move_to_back(served.target);
    }
  }

  void add(FetchResponse& response, const FetchTarget& target, Served& served, const FetchAnswer& said) {
    auto& topics = response.responses;
    if (topics.empty() || topics.back().topic != target.topic || topics.back().topic_id != target.topic_id) {
      auto& topic = topics.emplace_back();
      topic.topic = target.topic;
      topic.topic_id = target.topic_id;
    }
    auto& to = topics.back().partitions.emplace_back();
    to.partition_index = target.partition;
    to.error_code = static_cast<int16_t>(said.error);
    to.high_watermark = said.high_watermark;
    to.log_start_offset = said.log_start;
    to.last_stable_offset = served.ends_known ? served.ends.last_stable.value() : -1;
    to.aborted_transactions.reset();
    if (read_committed_ && said.error == Code::kNone) {
      auto& list = to.aborted_transactions.emplace();
      list.reserve(served.aborted.size());
      for (const auto& txn : served.aborted) {
        auto& entry = list.emplace_back();
        entry.producer_id = txn.producer_id;
        entry.first_offset = txn.first.value();
      }
    }
    if (served.diverging) {
      to.diverging_epoch.epoch = served.diverging->epoch.value();
      to.diverging_epoch.end_offset = served.diverging->end.value();
    }
    if (said.error == Code::kFencedLeaderEpoch) {
      to.current_leader.leader_id = services_.metadata.self().value();
      to.current_leader.leader_epoch = served.epoch.value();
    }
    to.records = kafka::Records::empty();
    for (auto& range : served.slice.ranges) {
      services_.metrics.fetched_bytes.add(range.length);
      kafka::FileRange piece;
      piece.file = range.file.get();
      piece.position = range.position;
      piece.length = range.length;
      piece.pin = std::move(range.file);
      to.records.append(std::move(piece));
    }
  }

  RequestContext& context_;
  Services& services_;
  FetchRequest request_;
  bool read_committed_;
  int64_t bytes_max_, bytes_min_;
  FetchPlan plan_;
  std::vector<Served> served_;
  int64_t bytes_ = 0;
  bool urgent_ = false;  // an error or a divergence is not held back
};

}  // namespace

Task<Result<FetchResponse>> handle_fetch(RequestContext& context, FetchRequest request) {
  Fetch fetch(context, std::move(request));
  co_return co_await fetch.run();
}

ApiEntry fetch_api() { return api<handle_fetch>("Fetch", {4, 18}, {kTopicRead, kClusterClusterAction}); }

}  // namespace farshore::broker
