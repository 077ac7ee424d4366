#include "proto/kafka/client/partition_reader.h"

#include <algorithm>

#include "proto/kafka/constants.h"
#include "proto/kafka/messages/list_offsets.h"
#include "proto/kafka/messages/offset_for_leader_epoch.h"

namespace farshore::kafka {

namespace {

using Ours = farshore::ErrorCode;
constexpr int16_t kNoAnswer =
    static_cast<int16_t>(ErrorCode::kNetworkException);  // the answer leaves the partition out

// A broker may not know the partition yet, or no longer. So this is worth a retry: after the next metadata
// ClusterClient::leader() fails if the partition does not exist.
Error answered(int16_t code, std::string_view what) {
  Error error = to_error(code, what);
  if (error == Ours::kNotFound) error.code = Ours::kUnavailable;
  return error;
}

std::string name_of(const TopicPartition& partition) {
  return partition.topic + "-" + std::to_string(partition.partition);
}

}  // namespace

// Collects the one partition that was asked for.
class PartitionReader::Visitor final : public FetchVisitor {
 public:
  int16_t error_code = 0;
  bool seen = false;
  Error bad;
  PartitionRead read;

  void on_response(const FetchResponse& head) override { error_code = head.error_code; }
  void on_partition(const FetchTopic&, const Partition& partition, size_t) override {
    seen = true;
    read.high_watermark = Offset(partition.high_watermark);
    read.log_start = Offset(std::max<int64_t>(partition.log_start_offset, 0));
  }
  void on_batches(BatchRun run) override { read.run.append(std::move(run)); }
  void on_bad_records(Error error) override { bad = std::move(error); }
  void on_partition_end(const FetchTopic&, const Partition& partition, size_t) override {
    if (partition.error_code != 0) error_code = partition.error_code;
  }
  void on_response_end(const std::vector<FetchResponse::NodeEndpoint>&) override {}
};

PartitionReader::PartitionReader(Env& env, ClusterClient& cluster, SlabArena& arena, TopicPartition partition,
                                 Offset from, PartitionReaderOptions options)
    : env_(env),
      cluster_(cluster),
      partition_(std::move(partition)),
      position_(from),
      options_(options),
      slabs_(arena) {}

PartitionReader::~PartitionReader() = default;

Task<Result<PartitionRead>> PartitionReader::next(Deadline deadline) {
  for (int attempts = 0;; ++attempts) {
    auto read = co_await attempt(deadline);
    if (read) co_return read;
    connection_.reset();
    if (!connection_failed(read.error())) co_return std::move(read).error().in("read " + name_of(partition_));
    cluster_.forget_leader(partition_);
    auto paused = co_await cluster_.pause(attempts, deadline);
    if (!paused) {
      if (paused.error() == Ours::kClosed) co_return std::move(paused).error();
      co_return std::move(read).error().in("read " + name_of(partition_));
    }
  }
}

Task<Result<PartitionRead>> PartitionReader::attempt(Deadline deadline) {
  TopicPartition partition = partition_;
  CO_TRY(Leader leader, co_await cluster_.leader(std::move(partition), deadline));
  const bool shared = options_.wait_max == Duration::zero();
  if (shared || !connection_ || !connection_->usable() || broker_ != leader.broker) {
    connection_.reset();
    broker_ = leader.broker;
    if (shared) {
      CO_TRY(connection_, co_await cluster_.broker(leader.broker, deadline));
    } else {
      CO_TRY(connection_, co_await cluster_.open(leader.broker, deadline));
    }
  }
  FetchRequest request;
  request.max_wait_ms = static_cast<int32_t>(std::chrono::duration_cast<milliseconds>(options_.wait_max).count());
  request.min_bytes = shared ? 0 : 1;
  request.max_bytes = options_.bytes_max;
  auto& topic = request.topics.emplace_back();
  topic.topic = partition_.topic;
  auto& asked = topic.partitions.emplace_back();
  asked.partition = partition_.partition;
  asked.fetch_offset = position_.value();
  asked.partition_max_bytes = options_.bytes_max;
  Visitor visitor;
  Deadline until = std::min(deadline, env_.in(options_.wait_max + options_.request_timeout));
  CO_CHECK(co_await connection_->fetch(std::move(request), slabs_, nullptr, visitor, until, kFetchByNameVersionMax));
  if (visitor.error_code != 0) co_return answered(visitor.error_code, "Fetch");
  if (visitor.bad.code != Ours::kNone) co_return visitor.bad;
  if (!visitor.seen) co_return Error(Ours::kUnavailable, "the answer does not speak of the partition");
  CO_CHECK(verify_crc(visitor.read.run));
  if (!visitor.read.run.empty()) position_ = std::max(position_, visitor.read.run.next());
  co_return std::move(visitor.read);
}

Task<Result<Offset>> partition_offset(ClusterClient& cluster, TopicPartition partition, OffsetOf which,
                                      Deadline deadline) {
  ListOffsetsRequest request;
  request.replica_id = -1;
  auto& topic = request.topics.emplace_back();
  topic.name = partition.topic;
  auto& asked = topic.partitions.emplace_back();
  asked.partition_index = partition.partition;
  asked.timestamp = which == OffsetOf::kLogStart ? kEarliestTimestamp : kLatestTimestamp;
  auto code_of = [](const ListOffsetsResponse& answer) {
    return answer.topics.empty() || answer.topics[0].partitions.empty() ? kNoAnswer
                                                                        : answer.topics[0].partitions[0].error_code;
  };
  CO_TRY(auto answer, co_await cluster.call_leader(std::move(partition), std::move(request), code_of, deadline));
  co_return Offset(answer.topics[0].partitions[0].offset);
}

Task<Result<EpochEnd>> partition_epoch_end(ClusterClient& cluster, TopicPartition partition, LogEpoch epoch,
                                           Deadline deadline) {
  OffsetForLeaderEpochRequest request;
  request.replica_id = -1;
  auto& topic = request.topics.emplace_back();
  topic.topic = partition.topic;
  auto& asked = topic.partitions.emplace_back();
  asked.partition = partition.partition;
  asked.leader_epoch = epoch.value();
  auto code_of = [](const OffsetForLeaderEpochResponse& answer) {
    return answer.topics.empty() || answer.topics[0].partitions.empty() ? kNoAnswer
                                                                        : answer.topics[0].partitions[0].error_code;
  };
  CO_TRY(auto answer, co_await cluster.call_leader(std::move(partition), std::move(request), code_of, deadline));
  const auto& found = answer.topics[0].partitions[0];
  EpochEnd end;
  end.epoch = LogEpoch(found.leader_epoch);
  end.end = Offset(found.end_offset);
  co_return end;
}

}  // namespace farshore::kafka
