// TopicReader: puts a TopicImage together from the entries of the MetaStore that hold it.
// Executor: the broker's.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/meta_store.h"
#include "base/time.h"
#include "broker/metadata/cluster_image.h"

namespace farshore::broker {

using PartitionRecords = std::map<int32_t, PartitionImage>;  // of one topic, by index

// What the topic's own key says: how the record is stored, if it is not its value.
struct TopicHead {
  std::string name;
  std::optional<TopicParts> parts;
  Revision revision = 0;
};
Result<TopicHead> topic_head(const MetaEntry& entry);

// `topic`: the decoded record. Records of partitions beyond the topic's count are left out; one that is missing is
// kCorrupt.
Result<std::shared_ptr<const TopicImage>> topic_of(const TopicHead& head, TopicImage topic, PartitionRecords records);

// Adds what `entries` (of keys under kPartitionPrefix) say, by topic.
Status add_records(const std::vector<MetaEntry>& entries, std::map<TopicId, PartitionRecords>& to);

// One topic at exactly `revision`. Null: there is none. kUnavailable: the store is at another revision already.
Task<Result<std::shared_ptr<const TopicImage>>> read_topic(MetaStore& store, std::string name, Revision revision,
                                                           Deadline deadline);

}  // namespace farshore::broker
