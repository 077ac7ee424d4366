#include "replicator/relay/produce_answers.h"

namespace farshore::replicator {

void add_to_produce(kafka::ProduceRequest& request, const std::string& topic, const TopicId& id, int32_t partition,
                    SliceList bytes) {
  if (request.topic_data.empty() || request.topic_data.back().name != topic) {
    auto& added = request.topic_data.emplace_back();
    added.name = topic;
    added.topic_id = id;
  }
  auto& data = request.topic_data.back().partition_data.emplace_back();
  data.index = partition;
  data.records = kafka::Records(std::move(bytes));
}

ProduceAnswers::ProduceAnswers(const kafka::ProduceResponse& response) {
  for (const auto& topic : response.responses) {
    for (const Answer& each : topic.partition_responses) {
      by_name_[{topic.name, each.index}] = &each;
      by_id_[{topic.topic_id, each.index}] = &each;
    }
  }
}

const ProduceAnswers::Answer* ProduceAnswers::find(const std::string& topic, const TopicId& id,
                                                   int32_t partition) const {
  if (!id.is_zero()) {
    auto found = by_id_.find({id, partition});
    if (found != by_id_.end()) return found->second;
  }
  auto found = by_name_.find({topic, partition});
  return found == by_name_.end() ? nullptr : found->second;
}

}  // namespace farshore::replicator
