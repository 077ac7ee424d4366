#include "broker/partitions/internal/access_rule.h"

namespace farshore::broker {

bool active_mirror(const TopicImage& topic, size_t partition) {
  return topic.mirror && !topic.mirror->writable(partition);
}

ClientAccess access_of(const TopicImage& topic, size_t partition) {
  if (active_mirror(topic, partition)) return ClientAccess::kMirror;
  if (!topic.fenced()) return ClientAccess::kWritable;
  return topic.read_only || !fences_have_an_end(topic.fences) ? ClientAccess::kReadOnly : ClientAccess::kFenced;
}

}  // namespace farshore::broker
