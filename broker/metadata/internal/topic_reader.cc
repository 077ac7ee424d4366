#include "broker/metadata/internal/topic_reader.h"

#include <utility>

#include "broker/metadata/internal/codec.h"
#include "broker/metadata/internal/topic_value.h"

namespace farshore::broker {
namespace {

constexpr std::string_view kPartsField =
    "\"parts\":";  // without it, a value need not be parsed to see how it is stored

Error moved_on(Revision wanted, Revision found) {
  return Error(ErrorCode::kUnavailable, "the metadata store is at revision " + std::to_string(found) + ", not at " +
                                            std::to_string(wanted) + " any more");
}

// Nobody's epoch is lower than what the topic's record says.
void overlay_raised(TopicImage& topic) {
  for (const auto& [index, epoch] : topic.raising) {
    PartitionImage& partition = topic.partitions[static_cast<size_t>(index)];
    if (partition.leadership_epoch >= epoch) continue;
    partition.leadership_epoch = epoch;
    partition.behind = true;
  }
}

}  // namespace

Result<TopicHead> topic_head(const MetaEntry& entry) {
  TopicHead head;
  head.name = entry.key.substr(kTopicPrefix.size());
  head.revision = entry.mod_revision;
  if (entry.value.find(kPartsField) == std::string::npos) return head;
  FARSHORE_TRY(head.parts, decode_topic_parts(head.name, entry.value));
  return head;
}

Result<std::shared_ptr<const TopicImage>> topic_of(const TopicHead& head, TopicImage topic, PartitionRecords records) {
  topic.mod_revision = head.revision;
  topic.parts = head.parts;
  records.erase(records.lower_bound(static_cast<int32_t>(topic.partitions.size())), records.end());
  if (records.size() != topic.partitions.size() || (!records.empty() && records.begin()->first != 0))
    return Error(ErrorCode::kCorrupt, "topic " + topic.name + " has " + std::to_string(topic.partitions.size()) +
                                          " partitions, but other partition records");
  for (auto& [index, partition] : records) topic.partitions[static_cast<size_t>(index)] = std::move(partition);
  overlay_raised(topic);
  return std::make_shared<const TopicImage>(std::move(topic));
}

Status add_records(const std::vector<MetaEntry>& entries, std::map<TopicId, PartitionRecords>& to) {
  for (const auto& entry : entries) {
    FARSHORE_TRY(auto key, parse_partition_key(entry.key));
    FARSHORE_TRY(auto partition, decode_partition(key.partition, entry.value));
    partition.mod_revision = entry.mod_revision;
    to[key.topic].emplace(key.partition, std::move(partition));
  }
  return ok();
}

Task<Result<std::shared_ptr<const TopicImage>>> read_topic(MetaStore& store, std::string name, Revision revision,
                                                           Deadline deadline) {
  CO_TRY(auto found, co_await store.range(topic_key(name), {}, deadline));
  if (found.revision != revision) co_return moved_on(revision, found.revision);
  if (found.entries.empty()) co_return std::shared_ptr<const TopicImage>();
  CO_TRY(TopicHead head, topic_head(found.entries.front()));
  std::string text = std::move(found.entries.front().value);
  if (head.parts) {
    std::string prefix = topic_parts_prefix(*head.parts);
    std::string end = prefix_end(prefix);
    CO_TRY(auto parts, co_await store.range(std::move(prefix), std::move(end), deadline));
    if (parts.revision != revision) co_return moved_on(revision, parts.revision);
    CO_TRY(text, join_topic_parts(head.name, *head.parts, parts.entries));
  }
  CO_TRY(TopicImage record, decode_topic(head.name, text));
  const TopicId id = record.id;
  std::string prefix = std::string(kPartitionPrefix) + id.to_string() + "/";
  std::string end = prefix_end(prefix);
  CO_TRY(auto placed, co_await store.range(std::move(prefix), std::move(end), deadline));
  if (placed.revision != revision) co_return moved_on(revision, placed.revision);
  std::map<TopicId, PartitionRecords> records;
  CO_CHECK(add_records(placed.entries, records));
  co_return topic_of(head, std::move(record), std::move(records[id]));
}

}  // namespace farshore::broker
