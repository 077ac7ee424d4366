// Watch: reads the disks and asks the brokers at one instant, and hands what it finds to History. It is called before
// every fault that takes memory or unsynced bytes away.
#pragma once

#include <string>
#include <vector>

#include "tests/simulation/clusters.h"

namespace farshore::simulation {

class Watch {
 public:
  explicit Watch(Clusters& clusters) : clusters_(clusters) {}

  void look();
  // The mirror has ended: from now on the target may hold batches of its own epochs.
  void mirror_ended() { mirror_ended_ = true; }
  // True if the mirror equals the source, and everything is committed.
  bool in_sync();
  // True if the group has the same offsets at both clusters.
  bool groups_in_sync();
  // The bytes of a partition, as read through its log.
  void read(Node& node, int32_t partition, std::string& into);
  void read(Node& node, broker::PartitionPtr partition, std::string& into);

 private:
  std::vector<StoredBatch> stored(const char* host, int32_t partition, bool durable);
  void look_at_ends(Node& node);
  void look_at_groups();
  Task<void> read_task(broker::PartitionPtr partition, std::string& into);

  Clusters& clusters_;
  bool mirror_ended_ = false;
  std::array<int64_t, kPartitions> mirrored_{};  // the highest end of the mirror that was seen
};

}  // namespace farshore::simulation
