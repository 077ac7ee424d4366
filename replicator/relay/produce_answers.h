// ProduceAnswers: finds the answer to one batch in a Produce response: by the topic's id or, where the target is too
// old for ids, by its name. add_to_produce(): puts one batch into a request.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "proto/kafka/messages/produce.h"

namespace farshore::replicator {

// Batches of one topic come one after the other.
void add_to_produce(kafka::ProduceRequest& request, const std::string& topic, const TopicId& id, int32_t partition,
                    SliceList bytes);

class ProduceAnswers {
 public:
  using Answer = kafka::ProduceResponse::PartitionProduceResponse;
  explicit ProduceAnswers(const kafka::ProduceResponse& response);  // outlives it

  // `id`: zero where the request named topics. null: the response leaves the partition out.
  const Answer* find(const std::string& topic, const TopicId& id, int32_t partition) const;

 private:
  std::map<std::pair<std::string, int32_t>, const Answer*> by_name_;
  std::map<std::pair<TopicId, int32_t>, const Answer*> by_id_;
};

}  // namespace farshore::replicator
