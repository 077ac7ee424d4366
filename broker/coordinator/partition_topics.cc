#include "broker/coordinator/partition_topics.h"

#include <utility>

namespace farshore::broker {
namespace {

class PartitionLog final : public CoordinatorLog {
 public:
  explicit PartitionLog(PartitionPtr partition) : partition_(std::move(partition)) {}

  Task<Result<Offset>> append(BatchRun run) override {
    auto info = co_await partition_->append(std::move(run), AppendOrigin::kCoordinator);
    if (!info) co_return std::move(info).error();
    if (info->outcome != AppendOutcome::kAppended) co_return Error(ErrorCode::kInvalidArgument, info->refusal);
    co_return info->last;
  }
  Task<Status> wait_committed(Offset last, Deadline deadline) override {
    return partition_->wait_committed(last, deadline);
  }
  LogEnds ends() const override { return partition_->ends(); }
  Task<Result<BatchRun>> read(Offset from, size_t bytes_max) override {
    return partition_->log().read_run(from, ReadBound::kLogEnd, bytes_max);
  }

 private:
  PartitionPtr partition_;
};

}  // namespace

int32_t PartitionTopics::partition_count(const std::string& topic) const {
  const TopicImage* found = metadata_.image()->topic(topic);
  return found ? static_cast<int32_t>(found->partitions.size()) : 0;
}

Task<Result<int32_t>> PartitionTopics::ensure_topic(InternalTopic wanted, Deadline deadline) {
  const std::string name = wanted.name;
  if (int32_t count = partition_count(name)) co_return count;
  NewTopic topic;
  topic.name = name;
  topic.partitions = wanted.partitions;
  topic.configs = std::move(wanted.configs);
  topic.internal = true;
  auto created = co_await creator_.create(std::move(topic), deadline);
  // Somebody else may have been faster.
  if (int32_t count = partition_count(name)) co_return count;
  co_return Error(ErrorCode::kUnavailable, "topic " + name + " could not be made: " + created.refusal.message);
}

Task<Result<std::shared_ptr<CoordinatorLog>>> PartitionTopics::open(std::string topic, int32_t partition,
                                                                    Deadline deadline) {
  const ImagePtr image = metadata_.image();
  CO_CHECK(co_await partitions_.wait_for(image->revision, deadline));
  if (const TopicImage* known = image->topic(topic)) CO_CHECK(co_await partitions_.wait_open(known->id, deadline));
  CO_TRY(PartitionPtr found, partitions_.find(topic, partition));
  std::shared_ptr<CoordinatorLog> log = std::make_shared<PartitionLog>(std::move(found));
  co_return log;
}

}  // namespace farshore::broker
