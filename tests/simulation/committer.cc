#include "tests/simulation/committer.h"

#include "proto/kafka/messages/find_coordinator.h"
#include "proto/kafka/messages/list_offsets.h"
#include "proto/kafka/messages/offset_commit.h"

namespace farshore::simulation {
namespace {

constexpr Duration kAnswerLimit = seconds(6);
constexpr int64_t kLatest = -1;

}  // namespace

Task<void> Committer::run() {
  while (!stop_) {
    auto done = co_await commit();
    if (!done) client_.reset();
    co_await env_.sleep(milliseconds(env_.random().between(50, 600)));
  }
  client_.reset();
  stopped_ = true;
}

Task<Status> Committer::commit() {
  if (!client_) {
    auto client = std::make_unique<broker::TestClient>(env_, kAnswerLimit);
    Endpoint to = to_;
    CO_CHECK(co_await client->connect(std::move(to)));
    client_ = std::move(client);
  }
  if (!group_found_) {
    kafka::FindCoordinatorRequest request;
    request.key = kGroup;
    CO_TRY(auto found, co_await client_->call(std::move(request), 3));
    if (found.error_code != 0) co_return Error(ErrorCode::kUnavailable, "no coordinator");
    group_found_ = true;
  }
  // As a consumer that has read to the end, or not quite.
  const auto partition = static_cast<int32_t>(env_.random().below(kPartitions));
  kafka::ListOffsetsRequest ask;
  ask.replica_id = -1;
  auto& topic = ask.topics.emplace_back();
  topic.name = kTopic;
  auto& asked = topic.partitions.emplace_back();
  asked.partition_index = partition;
  asked.timestamp = kLatest;
  CO_TRY(auto ends, co_await client_->call(std::move(ask), 5));
  if (ends.topics.empty() || ends.topics[0].partitions.empty() || ends.topics[0].partitions[0].error_code != 0)
    co_return Error(ErrorCode::kUnavailable, "no end");
  const int64_t end = ends.topics[0].partitions[0].offset;
  int64_t& next = next_[partition];
  if (end < next) co_return ok();
  const int64_t offset = env_.random().chance(0.5) ? end : env_.random().between(next, end);
  next = offset;
  history_.commits(partition, offset);
  kafka::OffsetCommitRequest request;
  request.group_id = kGroup;
  auto& to = request.topics.emplace_back();
  to.name = kTopic;
  auto& at = to.partitions.emplace_back();
  at.partition_index = partition;
  at.committed_offset = offset;
  at.committed_metadata = "";
  CO_TRY(auto answer, co_await client_->call(std::move(request), 7));
  if (answer.topics.empty() || answer.topics[0].partitions.empty() || answer.topics[0].partitions[0].error_code != 0)
    co_return Error(ErrorCode::kUnavailable, "not committed");
  ++commits_;
  co_return ok();
}

}  // namespace farshore::simulation
