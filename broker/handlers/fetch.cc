// Fetch 4-18: long poll by min_bytes and max_wait, incremental sessions (KIP-227), topic ids, read_committed with the
// list of aborted transactions, epoch fencing (KIP-320), divergence (KIP-595). Record bytes go from the segment file to
// the socket; nothing is read here.
// Only partitions that moved are looked at: a fetch of thousands of idle ones costs as much as one of none.
// Only consumers are served. A request that claims to come from a replica is refused (CVE-2018-1288): it would see
// offsets above the high watermark, and would move it.
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/handlers/internal/client_deadline.h"
#include "broker/handlers/internal/entries.h"
#include "broker/handlers/internal/list_turn.h"
#include "broker/handlers/internal/partition_fetch.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/fetch_sessions.h"
#include "proto/kafka/messages/fetch.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using kafka::FetchRequest;
using kafka::FetchResponse;

constexpr int16_t kSessionsFrom = 7;
constexpr int16_t kTopicIdsFrom = 13;
constexpr int16_t kReplicaStateFrom = 15;
constexpr Duration kLargeRequestWaitMax = seconds(1);  // what it asked for takes memory meanwhile
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

class Fetch {
 public:
  Fetch(RequestContext& context, FetchRequest request)
      : context_(context),
        services_(context.services),
        request_(std::move(request)),
        read_committed_(request_.isolation_level == kReadCommitted),
        bytes_max_(std::clamp<int64_t>(request_.max_bytes, 0, services_.config.number("fetch.max.bytes"))),
        bytes_min_(std::clamp<int64_t>(request_.min_bytes, 0, bytes_max_)),
        woken_(context.services.env) {}
  ~Fetch() {
    if (plan_.session) plan_.session->on_wake(nullptr);
  }

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
    plan_.session->on_wake([this] {
      stirred_ = true;
      woken_.notify();
    });
    request_.topics = {};  // the session has it all
    request_.forgotten_topics_data = {};
    Duration wait_max = std::clamp<Duration>(milliseconds(request_.max_wait_ms), Duration::zero(), kClientWaitMax);
    if (context_.frame_bytes > kSlabBytes) wait_max = std::min(wait_max, kLargeRequestWaitMax);
    Deadline deadline(now + wait_max);
    for (;;) {
      co_await collect();
      if (enough() || deadline.passed(services_.env.now())) break;
      if (stirred_) continue;  // while others were read
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

  PartitionFetch reader() {
    return PartitionFetch(services_, *plan_.session, context_.api_version >= kTopicIdsFrom, read_committed_);
  }

  // Looks at what is due. What turns out to have nothing to tell is idle from here on.
  Task<void> collect() {
    fetched_.clear();
    bytes_ = 0;
    urgent_ = left_out_ = stirred_ = false;
    unknown_ = 0;
    FetchSession& session = *plan_.session;
    PartitionFetch reader = this->reader();
    std::vector<FetchSession::Position> due;  // the list changes meanwhile
    due.reserve(session.due().size());
    for (auto at = session.due().begin(); at != session.due().end(); ++at) due.push_back(at);
    TurnBudget turn(services_.env);
    for (auto at : due) {
      if (turn.spend(kListElementWork)) co_await turn.next_turn();
      auto fetched = co_await reader.read(at, bytes_max_ - bytes_, bytes_ == 0);
      bytes_ += static_cast<int64_t>(fetched.slice.size_bytes);
      left_out_ |= fetched.left_out;
      unknown_ += fetched.unknown ? 1 : 0;
      urgent_ |= (fetched.error != Code::kNone && !fetched.unknown) || fetched.diverging;
      const bool told = fetched.left_out || FetchSession::tells(*at, fetched.answer());
      // A full fetch answers all of them, with what they have at the end.
      const bool nothing = fetched.error == Code::kNone && !fetched.diverging && !fetched.left_out && !at->moved &&
                           fetched.slice.size_bytes == 0;
      if (nothing && (plan_.full || !told)) session.settle(at);
      if (at->due) fetched_.push_back(std::move(fetched));
    }
  }

  // Kafka's rule: an error is not held back, except that a topic or partition is unknown, while there are others. More
  // than fits cannot be waited for.
  bool enough() const {
    if (urgent_ || bytes_ >= bytes_min_ || (left_out_ && bytes_ > 0)) return true;
    return unknown_ == plan_.session->size();
  }

  // False: the client is gone, or the broker stops. Nothing runs between the caller's look and the wait, so no wake-up
  // is missed. After a wake-up, collect() looks at what moved.
  Task<bool> wait_for_progress(Deadline deadline) {
    Wait<void> wait(services_.env);
    woken_.add(wait);
    context_.connection.closed.add(wait);
    (void)co_await wait.wait(deadline);
    co_return !context_.connection.closed.closed();
  }

  // For a full fetch: what is idle, and what moved after it was looked at.
  void look_at_others() {
    std::set<uint64_t> have;
    for (const auto& fetched : fetched_) have.insert(fetched.target->place);
    PartitionFetch reader = this->reader();
    FetchSession& session = *plan_.session;
    for (auto* list : {&session.idle(), &session.due()})
      for (auto at = list->begin(); at != list->end(); ++at)
        if (!have.contains(at->place)) fetched_.push_back(reader.look(at));
  }

  void answer(FetchResponse& response) {
    FetchSession& session = *plan_.session;
    if (plan_.full) {
      look_at_others();
      std::sort(fetched_.begin(), fetched_.end(),
                [](const auto& a, const auto& b) { return a.target->place < b.target->place; });
    }
    for (auto& fetched : fetched_) {
      const FetchAnswer said = fetched.answer();
      if (session.note(*fetched.target, said, plan_.full)) {
        services_.metrics.error(fetched.error);
        add(response, *fetched.target, fetched, said);
      }
      if (!fetched.target->due) continue;
      if (said.has_records)
        session.move_to_back(fetched.target);
      else if (said.error == Code::kNone && !said.diverging && !fetched.left_out)
        session.settle(fetched.target);
    }
  }

  void add(FetchResponse& response, const FetchTarget& target, FetchedPartition& served, const FetchAnswer& said) {
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
    if (!served.ends_known) to.aborted_transactions.emplace();  // as Kafka, where there is no partition
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
  Notifier woken_;
  std::vector<FetchedPartition> fetched_;
  int64_t bytes_ = 0;
  size_t unknown_ = 0;
  bool urgent_ = false;    // an error or a divergence is not held back
  bool left_out_ = false;  // something can be read that does not fit
  bool stirred_ = false;   // a partition moved since collect() began
};

}  // namespace

Task<Result<FetchResponse>> handle_fetch(RequestContext& context, FetchRequest request) {
  Fetch fetch(context, std::move(request));
  co_return co_await fetch.run();
}

ApiEntry fetch_api() { return api<handle_fetch>("Fetch", {4, 18}, {kTopicRead, kClusterClusterAction}); }

}  // namespace farshore::broker
