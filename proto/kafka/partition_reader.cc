#include "proto/kafka/partition_reader.h"

#include <algorithm>

#include "proto/kafka/messages/list_offsets.h"

namespace farshore::kafka {

namespace {

using Ours = farshore::ErrorCode;
constexpr int16_t kFetchByName = 12;  // the last version that names topics
constexpr int64_t kEarliest = -2, kLatest = -1;

// The same call may do better at another broker, or a moment later.
bool look_again(const Error& error) {
  return error.code == Ours::kUnavailable || error.code == Ours::kConnectionReset || error.code == Ours::kTimedOut ||
         error.code == Ours::kIo;
}

// A broker that does not know the partition (yet, or any more): its metadata and ours will agree in a moment, and then
// ClusterClient::leader() says whether there is one.
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
    if (!look_again(read.error())) co_return std::move(read).error().in("read " + name_of(partition_));
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
  if (!connection_ || !connection_->usable() || broker_ != leader.broker) {
    connection_.reset();
    broker_ = leader.broker;
    CO_TRY(connection_, co_await cluster_.open(leader.broker, deadline));
  }
  FetchRequest request;
  request.max_wait_ms = static_cast<int32_t>(std::chrono::duration_cast<milliseconds>(options_.wait_max).count());
  request.min_bytes = 1;
  request.max_bytes = options_.bytes_max;
  auto& topic = request.topics.emplace_back();
  topic.topic = partition_.topic;
  auto& asked = topic.partitions.emplace_back();
  asked.partition = partition_.partition;
  asked.fetch_offset = position_.value();
  asked.partition_max_bytes = options_.bytes_max;
  Visitor visitor;
  Deadline until = std::min(deadline, env_.in(options_.wait_max + options_.request_timeout));
  CO_CHECK(co_await connection_->fetch(std::move(request), slabs_, nullptr, visitor, until, kFetchByName));
  if (visitor.error_code != 0) co_return answered(visitor.error_code, "Fetch");
  if (visitor.bad.code != Ours::kNone) co_return visitor.bad;
  if (!visitor.seen) co_return Error(Ours::kUnavailable, "the answer does not speak of the partition");
  CO_CHECK(verify_crc(visitor.read.run));
  if (!visitor.read.run.empty()) position_ = std::max(position_, visitor.read.run.next());
  co_return std::move(visitor.read);
}

Task<Result<Offset>> partition_offset(ClusterClient& cluster, TopicPartition partition, OffsetOf which,
                                      Deadline deadline) {
  for (int attempts = 0;; ++attempts) {
    TopicPartition wanted = partition;
    CO_TRY(Leader leader, co_await cluster.leader(std::move(wanted), deadline));
    Error failed;
    auto client = co_await cluster.broker(leader.broker, deadline);
    if (client) {
      ListOffsetsRequest request;
      request.replica_id = -1;
      auto& topic = request.topics.emplace_back();
      topic.name = partition.topic;
      auto& asked = topic.partitions.emplace_back();
      asked.partition_index = partition.partition;
      asked.timestamp = which == OffsetOf::kLogStart ? kEarliest : kLatest;
      auto response = co_await (*client)->call(std::move(request), deadline);
      if (!response) {
        failed = std::move(response).error();
      } else if (response->topics.empty() || response->topics.front().partitions.empty()) {
        failed = Error(Ours::kUnavailable, "the answer does not speak of the partition");
      } else {
        const auto& answer = response->topics.front().partitions.front();
        if (answer.error_code == 0) co_return Offset(answer.offset);
        failed = answered(answer.error_code, "ListOffsets");
      }
    } else {
      failed = std::move(client).error();
      if (failed == Ours::kNotFound) failed.code = Ours::kUnavailable;  // the broker is not in the metadata any more
    }
    if (!look_again(failed)) co_return failed.in("offsets of " + name_of(partition));
    cluster.forget_leader(partition);
    auto paused = co_await cluster.pause(attempts, deadline);
    if (!paused) {
      if (paused.error() == Ours::kClosed) co_return std::move(paused).error();
      co_return failed.in("offsets of " + name_of(partition));
    }
  }
}

}  // namespace farshore::kafka
