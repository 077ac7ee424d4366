#include "offsets/client/consumer/internal/pending_commit.h"

#include <utility>

#include "offsets/client/consumer/internal/kafka_problem.h"

namespace farshore::client {

PendingCommit::PendingCommit(KafkaHandle handle, const Positions& positions) : handle_(std::move(handle)) {
  if (positions.empty()) return;
  KafkaList list = kafka_list(positions);
  KafkaQueue queue(rd_kafka_queue_new(handle_.get()));
  if (auto error = rd_kafka_commit_queue(handle_.get(), list.get(), queue.get(), nullptr, nullptr))
    refused_ = kafka_problem("commit", error);
  else
    queue_ = std::move(queue);
}

Problem PendingCommit::wait(std::chrono::milliseconds timeout) {
  if (refused_ || !queue_) return std::move(refused_);
  KafkaEvent event(rd_kafka_queue_poll(queue_.get(), static_cast<int>(timeout.count())));
  if (!event) return {Problem::Kind::kUnavailable, "commit: no answer in " + std::to_string(timeout.count()) + " ms"};
  rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
  if (const auto* each = rd_kafka_event_topic_partition_list(event.get()))
    for (int i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && i < each->cnt; ++i) error = each->elems[i].err;
  return error == RD_KAFKA_RESP_ERR_NO_ERROR ? Problem() : kafka_problem("commit", error);
}

}  // namespace farshore::client
