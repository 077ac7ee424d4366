// DeleteRecords 0-2: moves a partition's log start forward, never beyond the high watermark. A mirror's log start
// follows its source's, so clients cannot move it.
#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/metadata/topic_config.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "broker/partitions/partition_lookup.h"
#include "proto/kafka/messages/delete_records.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

constexpr int64_t kToHighWatermark = -1;
constexpr int64_t kNoLowWatermark = -1;

Code check_topic(const Services& services, const TopicImage* topic) {
  if (!topic) return Code::kUnknownTopicOrPartition;
  if (topic->internal) return Code::kInvalidTopicException;
  if (topic->mirror && !topic->mirror->writable()) return Code::kPolicyViolation;
  // Kafka's rule: of a compacted topic nothing is deleted by offset.
  std::string policy = topic_config(services.config, topic->configs, "cleanup.policy");
  return policy.find("delete") == std::string::npos ? Code::kPolicyViolation : Code::kNone;
}

Task<Code> delete_below(PartitionPtr partition, int64_t offset, int64_t& low_watermark) {
  LogEnds ends = partition->ends();
  Offset to = offset == kToHighWatermark ? ends.high_watermark : Offset(offset);
  if (to < Offset(0) || to > ends.high_watermark) co_return Code::kOffsetOutOfRange;
  if (to > ends.log_start) {
    auto moved = co_await partition->log().advance_log_start(to);
    if (!moved) co_return kafka_error(moved.error());
    partition->changed();
  }
  low_watermark = partition->ends().log_start.value();
  co_return Code::kNone;
}

}  // namespace

Task<Result<kafka::DeleteRecordsResponse>> handle_delete_records(RequestContext& context,
                                                                 kafka::DeleteRecordsRequest request) {
  Services& services = context.services;
  kafka::DeleteRecordsResponse response;
  ImagePtr image = services.metadata.image();
  // A partition that is named more than once: its last offset counts, and it is answered once, as Kafka does.
  std::map<std::pair<std::string_view, int32_t>, int64_t> offsets;
  for (const auto& topic : request.topics)
    for (const auto& asked : topic.partitions) offsets[{topic.name, asked.partition_index}] = asked.offset;
  for (const auto& topic : request.topics) {
    if (std::none_of(topic.partitions.begin(), topic.partitions.end(), [&](const auto& asked) {
          return offsets.contains({topic.name, asked.partition_index});
        }))
      continue;
    auto& to = response.topics.emplace_back();
    to.name = topic.name;
    const Code refused = check_topic(services, image->topic(topic.name));
    for (const auto& asked : topic.partitions) {
      const std::pair<std::string_view, int32_t> key(topic.name, asked.partition_index);
      auto wanted = offsets.extract(key);
      if (wanted.empty()) continue;
      int64_t low_watermark = kNoLowWatermark;
      Code error = refused;
      if (error == Code::kNone) {
        FoundPartition found = find_partition(services.partitions, std::string_view(topic.name), asked.partition_index);
        error = found.error;
        if (found.partition) error = co_await delete_below(std::move(found.partition), wanted.mapped(), low_watermark);
      }
      services.metrics.error(error);
      auto& answer = to.partitions.emplace_back();
      answer.partition_index = asked.partition_index;
      answer.low_watermark = low_watermark;
      answer.error_code = static_cast<int16_t>(error);
    }
  }
  co_return response;
}

ApiEntry delete_records_api() { return api<handle_delete_records>("DeleteRecords", {0, 2}, {kTopicDelete}); }

}  // namespace farshore::broker
