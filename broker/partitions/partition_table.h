// PartitionTable: the open partitions of this broker. It follows the metadata: it creates, opens and deletes logs, and
// applies new configs and epochs to open partitions. DataDirectory, DiskWatch and LogMaintenance do the rest.
// Executor: the broker's. Owner: Broker.
//
// A partition whose log cannot be opened, or whose log failed, is offline: find() returns kIo until the broker is
// restarted. A full disk and a lack of file descriptors are no such reason: then the log is opened a little later.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/config.h"
#include "base/env.h"
#include "base/file_cache.h"
#include "base/gate.h"
#include "base/slab.h"
#include "broker/metadata/metadata.h"
#include "broker/partitions/partition.h"
#include "broker/partitions/partition_options.h"

namespace farshore::broker {

class DataDirectory;
class DiskWatch;
class LogMaintenance;

class PartitionTable {
 public:
  // `broker`: the broker's properties, from which topics inherit their configs.
  PartitionTable(Env& env, SlabArena& arena, const Config& broker, PartitionOptions options, MetadataManager& metadata);
  ~PartitionTable();

  // Finishes interrupted deletions, opens every log (or makes it), and starts to follow the metadata. A log that is
  // damaged leaves its partition offline and is reported; only an unusable data directory is an error.
  Task<Status> start();
  // wait_for() and wait_open() end with kClosed from here on, and no more logs are opened. Requests wait in them for as
  // long as their client wants, so call it before the connections are closed.
  void refuse_waits();
  // Closes every log cleanly. No partition may be used after this.
  Task<Status> stop();

  // Errors: kNotFound (no such topic or partition), kIo (offline), kNoSpace (offline until there is space),
  // kUnavailable (no file descriptor was free), kClosed (led by another broker, or being opened: clients ask for the
  // metadata again). No allocation on success.
  Result<PartitionPtr> find(std::string_view topic, int32_t partition) const;
  Result<PartitionPtr> find(const TopicId& topic, int32_t partition) const;
  std::vector<PartitionPtr> all(bool compacted_only = false) const;
  size_t size() const;     // partitions
  size_t offline() const;  // of them
  Durability durability() const { return options_.durability; }

  // ok once the table has caught up with the image's `revision`: topics that are gone cannot be found any more, and
  // open partitions have their new configs, epochs and access. Logs are opened and removed later, beside each other:
  // thousands of them do not hold up another topic.
  Task<Status> wait_for(Revision revision, Deadline deadline);
  // After wait_for(): ok once every log of the topic is open or offline, or the topic is gone. What a topic's creation
  // waits for.
  Task<Status> wait_open(TopicId topic, Deadline deadline);

  uint64_t free_bytes() const;  // on the disk, as of the last look
  // The files of all logs.
  const FileCache& files() const { return *files_; }
  // True while the free space is below `log.reserve.bytes`. Clients' and mirrors' appends are then refused (kNoSpace);
  // reads, appends of coordinators, and deletions go on.
  bool disk_full() const;

 private:
  struct Slot {
    PartitionPtr partition;
    Error error;  // set: offline; kNoSpace, kUnavailable: opened again when there is space, a descriptor
    bool tried = false;
  };
  struct Topic {
    std::string name;
    TopicId id;
    TopicPtr image;  // the one that was applied last
    LogOptions options;
    std::vector<Slot> slots;
    size_t unopened = 0;   // slots that nobody has begun to open yet, the last ones, or that are being opened
    bool opening = false;  // open_topic() or reopen() works on it
  };
  struct UuidHash {
    size_t operator()(const Uuid& id) const noexcept;
  };
  Result<PartitionPtr> slot(const Topic* topic, int32_t partition) const;
  LogOptions options_of(const TopicImage& topic) const;
  using Removed = std::vector<std::string>;
  Task<Status> apply(ImagePtr image);
  Task<void> open_topic(std::shared_ptr<Topic> topic);
  Task<void> open_slot(std::shared_ptr<Topic> topic, int32_t partition);
  Task<Result<PartitionPtr>> open_partition(TopicPtr image, int32_t index, LogOptions options);
  Task<void> close_partition(PartitionPtr partition, Status& result);  // `result` is stop()'s, which waits
  Task<void> update_slot(const Topic& topic, TopicPtr image, size_t index);
  void forget_topic(const std::shared_ptr<Topic>& topic);
  Task<void> remove_topic(std::shared_ptr<Topic> topic);
  Task<void> remove_slot(std::shared_ptr<Topic> topic, int32_t partition, Removed& removed);
  // Its logs are still wanted. Every wait of an opening asks: who removes the topic waits for the opening.
  bool goes_on(const Topic& topic) const { return !stopping_.is_set() && topics_by_id_.contains(topic.id); }
  static bool waits(const Topic& topic);  // for space or a descriptor
  Task<void> reopen();
  Task<void> follow_loop();

  Env& env_;
  SlabArena& arena_;
  const Config& config_;
  const PartitionOptions options_;
  MetadataManager& metadata_;
  std::unique_ptr<FileCache> files_;  // outlives every log
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<DiskWatch> disk_;
  std::unique_ptr<LogMaintenance> maintenance_;
  bool reopening_ = false;      // reopen() runs
  bool no_descriptor_ = false;  // the last open that needed one got none
  std::map<std::string, std::shared_ptr<Topic>, std::less<>> topics_;
  std::unordered_map<Uuid, std::shared_ptr<Topic>, UuidHash> topics_by_id_;
  std::multiset<std::string, std::less<>> removing_;  // names of topics whose logs are not all closed and renamed yet
  Revision applied_ = 0;
  Notifier applied_changed_, opened_, wake_;
  Event stopping_;
  Gate gate_;
};

}  // namespace farshore::broker
