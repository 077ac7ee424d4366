#include "offsets/translation/types.h"

namespace farshore {

// FNV-1a, 64 bits, over link, topic id and the partition (big-endian). Written down in FORMAT.md: it must not change.
int32_t translation_log_partition(const LinkPartition& key) {
  uint64_t hash = 14695981039346656037ull;
  auto add = [&hash](uint8_t byte) { hash = (hash ^ byte) * 1099511628211ull; };
  for (uint8_t byte : key.link.value().bytes) add(byte);
  for (uint8_t byte : key.source_topic.value().bytes) add(byte);
  const auto partition = static_cast<uint32_t>(key.partition.value());
  for (int shift = 24; shift >= 0; shift -= 8) add(static_cast<uint8_t>(partition >> shift));
  return static_cast<int32_t>(hash % kTranslationLogPartitions);
}

}  // namespace farshore
