#include "broker/metadata/internal/topic_value.h"

#include <algorithm>

#include "broker/metadata/internal/codec.h"

namespace farshore::broker {
namespace {

constexpr size_t kPartDigits = 6;  // so that the order of the keys is the order of the parts

}  // namespace

std::string topic_parts_prefix(const TopicId& id) { return std::string(kTopicPartPrefix) + id.to_string() + "/"; }

std::string topic_parts_prefix(const TopicParts& parts) {
  return topic_parts_prefix(parts.topic) + parts.generation.to_string() + "/";
}

std::string topic_part_key(const TopicParts& parts, int32_t part) {
  std::string number = std::to_string(part);
  number.insert(0, kPartDigits - std::min(number.size(), kPartDigits), '0');
  return topic_parts_prefix(parts) + number;
}

int32_t topic_part_count(size_t text_bytes) {
  if (text_bytes <= kTopicPartBytesMax) return 0;
  return static_cast<int32_t>((text_bytes + kTopicPartBytesMax - 1) / kTopicPartBytesMax);
}

std::vector<MetaTxn> topic_part_txns(const TopicParts& parts, std::string_view text) {
  std::vector<MetaTxn> txns;
  for (int32_t part = 0; part < parts.count; ++part) {
    const std::string_view piece = text.substr(static_cast<size_t>(part) * kTopicPartBytesMax, kTopicPartBytesMax);
    txns.emplace_back().then.push_back(KvPut{topic_part_key(parts, part), std::string(piece)});
  }
  return txns;
}

Result<std::string> join_topic_parts(std::string_view name, const TopicParts& parts,
                                     const std::vector<MetaEntry>& entries) {
  if (entries.size() != static_cast<size_t>(parts.count))
    return Error(ErrorCode::kCorrupt, "topic " + std::string(name) + " is stored in " + std::to_string(parts.count) +
                                          " parts, but there are " + std::to_string(entries.size()));
  std::string text;
  for (const auto& entry : entries) text += entry.value;
  return text;
}

}  // namespace farshore::broker
