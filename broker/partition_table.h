// PartitionTable: the open partitions of this broker, kept equal to the metadata: opens, creates and deletes logs under
// the data directory, follows topic configs, runs retention, cleaning and flush intervals, and watches the disk.
// Executor: the broker's. Owner: Broker.
//
// A partition whose log cannot be opened or has failed is offline: find() says kIo, until the broker is restarted.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/env.h"
#include "base/gate.h"
#include "base/slab.h"
#include "broker/broker_config.h"
#include "broker/metadata.h"
#include "broker/partition.h"

namespace farshore::broker {

using PartitionPtr = std::shared_ptr<Partition>;

class PartitionTable {
 public:
  PartitionTable(Env& env, SlabArena& arena, const BrokerOptions& options, MetadataManager& metadata);
  ~PartitionTable();

  // Finishes interrupted deletions, opens every log (or makes it), and starts to follow the metadata. A log that is
  // damaged leaves its partition offline and is reported; only an unusable data directory is an error.
  Task<Status> start();
  // Closes every log cleanly. Nobody may use a partition any more.
  Task<Status> stop();

  // Errors: kNotFound (no such topic or partition), kIo (offline). No allocation on success.
  Result<PartitionPtr> find(std::string_view topic, int32_t partition) const;
  Result<PartitionPtr> find(const TopicId& topic, int32_t partition) const;
  std::vector<PartitionPtr> all() const;
  size_t size() const { return count_; }
  size_t offline() const { return offline_; }

  // ok once the table has caught up with the image's `revision`: what a topic's creation waits for.
  Task<Status> wait_for(Revision revision, Deadline deadline);

  // True while the free space is below `log.reserve.bytes`: clients' and mirrors' appends are refused (kNoSpace),
  // reads, commits of groups, and deletions go on.
  bool disk_full() const { return disk_->full; }

 private:
  struct Slot {
    PartitionPtr partition;
    Error error;  // set: offline
  };
  struct Topic {
    std::string name;
    TopicId id;
    TopicPtr image;
    std::vector<Slot> slots;
  };
  struct UuidHash {
    size_t operator()(const Uuid& id) const noexcept;
  };
  Result<PartitionPtr> slot(const Topic* topic, int32_t partition) const;
  std::string log_directory(const std::string& topic, int32_t partition) const;
  Task<Status> apply(ImagePtr image);
  Task<void> open_topic(TopicPtr image);
  Task<Slot> open_partition(TopicPtr image, int32_t partition);
  Task<void> update_topic(Topic& topic, TopicPtr image);
  Task<void> remove_topic(std::shared_ptr<Topic> topic);
  Task<void> remove_leftovers(std::set<std::string> known);
  Task<void> follow_loop();
  Task<void> retention_loop();
  Task<void> cleaner_loop();
  Task<void> flush_loop();
  Task<void> disk_loop();
  Task<void> check_disk();

  Env& env_;
  SlabArena& arena_;
  const BrokerOptions& options_;
  MetadataManager& metadata_;
  std::shared_ptr<DiskState> disk_;
  std::map<std::string, std::shared_ptr<Topic>, std::less<>> topics_;
  std::unordered_map<Uuid, std::shared_ptr<Topic>, UuidHash> topics_by_id_;
  size_t count_ = 0, offline_ = 0;
  Revision applied_ = 0;
  Notifier applied_changed_;
  Event stopping_;
  Gate gate_;
};

}  // namespace farshore::broker
