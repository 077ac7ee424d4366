// LinkPartition: a partition of the source, as one link sees it. Names a pump, and the offset translation of a relayed
// partition. It has the topic's id, not its name: a topic that was deleted and made again is another topic.
#pragma once

#include "base/ids.h"

namespace farshore {

struct LinkPartition {
  LinkId link;
  SourceTopicId source_topic;
  PartitionId partition;
  friend auto operator<=>(const LinkPartition&, const LinkPartition&) = default;
};

}  // namespace farshore
