// TopicValue: how the record of a topic is stored. A short record is the value of the topic's key. A long one (a
// promotion of thousands of partitions) is cut into parts under keys of their own, which are written first; the topic's
// key then names them, so that the record changes whole. The parts of a version that was not finished count for
// nothing, and are removed by the next start. Executor: the broker's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/meta_store.h"
#include "broker/metadata/cluster_image.h"

namespace farshore::broker {

inline constexpr size_t kTopicPartBytesMax = 1 << 20;  // of a value: beyond it the record is stored in parts

// Keys of parts begin with kTopicPartPrefix: those of all versions of a topic; of one version.
std::string topic_parts_prefix(const TopicId& id);
std::string topic_parts_prefix(const TopicParts& parts);
std::string topic_part_key(const TopicParts& parts, int32_t part);
// How many parts a record of this length has; 0: it is one value.
int32_t topic_part_count(size_t text_bytes);

// The transactions that write `text` in parts, to be followed by the one that writes encode_topic_parts(). Each fits
// into kMetaTxnBytesMax.
std::vector<MetaTxn> topic_part_txns(const TopicParts& parts, std::string_view text);

// The record of a topic that is stored in parts, from entries in the order of their keys. kCorrupt: one is missing.
Result<std::string> join_topic_parts(std::string_view name, const TopicParts& parts,
                                     const std::vector<MetaEntry>& entries);

}  // namespace farshore::broker
