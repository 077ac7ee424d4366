// What is on the disks, and what the brokers say, at one instant: looked at before whatever takes memory or bytes away.
#pragma once

#include <string>
#include <vector>

#include "tests/simulation/clusters.h"

namespace farshore::simulation {

class Watch {
 public:
  explicit Watch(Clusters& clusters) : clusters_(clusters) {}

  void look();
  // The mirror has ended: from now on the target's batches of its own epochs are no business of the source's.
  void mirror_ended() { mirror_ended_ = true; }
  // The mirror is the source, and everything is committed.
  bool in_sync();
  // The target's group is where the source's is.
  bool groups_in_sync();
  // The bytes of a partition, as read through its log.
  void read(Node& node, int32_t partition, std::string& into);

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
