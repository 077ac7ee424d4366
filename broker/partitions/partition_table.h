// PartitionTable: the open partitions of this broker, kept equal to the metadata: opens, creates and deletes logs under
// the data directory, follows topic configs, runs retention, cleaning and flush intervals, and watches the disk.
// Executor: the broker's. Owner: Broker.
//
// A partition whose log cannot be opened or has failed is offline: find() says kIo, until the broker is restarted.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/env.h"
#include "base/gate.h"
#include "base/slab.h"
#include "broker/broker_config.h"
#include "broker/metadata/metadata.h"
#include "broker/partitions/partition.h"

namespace farshore::broker {

using PartitionPtr = std::shared_ptr<Partition>;

class PartitionTable {
 public:
  PartitionTable(Env& env, SlabArena& arena, const Config& config, const BrokerOptions& options,
                 MetadataManager& metadata);
  ~PartitionTable();

  // Finishes interrupted deletions, opens every log (or makes it), and starts to follow the metadata. A log that is
  // damaged leaves its partition offline and is reported; only an unusable data directory is an error.
  Task<Status> start();
  // Closes every log cleanly. Nobody may use a partition any more.
  Task<Status> stop();

  // Errors: kNotFound (no such topic or partition), kIo (offline), kNoSpace (offline until there is space). No
  // allocation on success.
  Result<PartitionPtr> find(std::string_view topic, int32_t partition) const;
  Result<PartitionPtr> find(const TopicId& topic, int32_t partition) const;
  std::vector<PartitionPtr> all() const;
  size_t size() const;                                 // partitions
  size_t offline() const;                              // of them
  uint64_t free_bytes() const { return free_bytes_; }  // on the disk, as of the last look

  // ok once the table has caught up with the image's `revision`: what a topic's creation waits for.
  Task<Status> wait_for(Revision revision, Deadline deadline);

  // True while the free space is below `log.reserve.bytes`: clients' and mirrors' appends are refused (kNoSpace),
  // reads, commits of groups, and deletions go on.
  bool disk_full() const { return disk_->full; }

 private:
  struct Slot {
    PartitionPtr partition;
    Error error;  // set: offline; kNoSpace: opened again when there is space
  };
  struct Topic {
    std::string name;
    TopicId id;
    TopicPtr image;  // the one that was applied last
    LogOptions options;
    std::vector<Slot> slots;
  };
  struct UuidHash {
    size_t operator()(const Uuid& id) const noexcept;
  };
  Result<PartitionPtr> slot(const Topic* topic, int32_t partition) const;
  LogOptions options_of(const TopicImage& topic) const;
  std::string log_directory(const std::string& topic, int32_t partition) const;
  Task<Status> apply(ImagePtr image);
  Task<void> open_slot(std::shared_ptr<Topic> topic, TopicPtr image, int32_t partition);
  Task<Result<PartitionPtr>> open_partition(TopicPtr image, int32_t index, LogOptions options);
  Task<void> close_partition(PartitionPtr partition, Status& result);  // `result`: stop()'s, which waits
  Task<void> update_open(Topic& topic, TopicPtr image);
  Task<void> remove_topic(std::shared_ptr<Topic> topic);
  Task<Status> remove_log(std::string directory);
  Task<Status> remove_leftovers(const ClusterImage& image);
  Task<void> reopen();
  bool some_wait_for_space() const;
  Task<void> follow_loop();
  Task<void> retention_loop();
  Task<void> cleaner_loop();
  Task<void> flush_loop();
  Task<void> disk_loop();
  Task<void> check_disk();

  Env& env_;
  SlabArena& arena_;
  const Config& config_;
  const BrokerOptions& options_;
  MetadataManager& metadata_;
  std::shared_ptr<DiskState> disk_;
  uint64_t free_bytes_ = 0;
  bool reopen_ = false;  // follow_loop() is to open what waits for space
  std::map<std::string, std::shared_ptr<Topic>, std::less<>> topics_;
  std::unordered_map<Uuid, std::shared_ptr<Topic>, UuidHash> topics_by_id_;
  Revision applied_ = 0;
  Notifier applied_changed_, opened_, wake_;
  Event stopping_;
  Gate gate_;
};

}  // namespace farshore::broker
