// Who may write to a partition, by what the metadata says of its topic.
#pragma once

#include "broker/metadata/cluster_image.h"
#include "broker/partitions/partition.h"

namespace farshore::broker {

// A mirror that has not ended there: only its link writes.
bool active_mirror(const TopicImage& topic, size_t partition);
ClientAccess access_of(const TopicImage& topic, size_t partition);

}  // namespace farshore::broker
