// LogImage: brings a TranslationStore up to date with __farshore_offsets. Reads each partition of the log once, from
// the stored position on, in batches of bounded size, and stores the new position together with the applied records.
// A store that is the image of another log, or of a log that has lost its tail since, is emptied and filled again.
// Executor: the Env's. Calls for different partitions run side by side.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "base/async_mutex.h"
#include "base/env.h"
#include "base/metrics.h"
#include "offsets/store/translation_store.h"
#include "offsets/translation/log_reader.h"
#include "proto/kafka/client/compacted_topic.h"
#include "proto/kafka/client/partition_reader.h"

namespace farshore::linker {

class LogImage {
 public:
  // Records that this process wrote itself, and put into the store with each write: they are left out, since a run
  // that is read again would take away the later ones that were put meanwhile. `writer`: the producer of the record.
  using Written = std::function<bool(const LinkPartition&, kafka::ProducerIdentity writer)>;
  // Whether the store lacks records of these keys that the log has. As long as it does (until read_key() has read
  // them), no position is stored, so a restart reads the log again.
  using Lacking = std::function<bool()>;
  // References outlive it.
  LogImage(Env& env, kafka::ClusterClient& cluster, offsets::TranslationStore& store, Written written_here,
           Lacking lacking);
  ~LogImage();

  // The topic is there (made if need be), and the store is of it.
  Task<Status> open(Deadline deadline);
  // Applies the partition up to the marker of `owner`. Later records of the owner's key were written by the owner.
  Task<Status> read_to_marker(int32_t partition, kafka::ProducerIdentity owner, Deadline deadline);
  // Applies the partition up to its present end: for keys that another gateway may own.
  Task<Status> read_to_end(int32_t partition, Deadline deadline);
  // Applies all that the log says of one key, from its start. The caller keeps all others from writing the key
  // meanwhile. `done` (may be empty) is called when it is read, before anything else of that partition is applied.
  using Done = std::function<void()>;
  Task<Status> read_key(LinkPartition key, Done done, Deadline deadline);
  // Raised whenever the store is emptied: all partitions must then be read again.
  uint64_t generation() const { return generation_; }

 private:
  struct Partition;
  class Sink;
  Task<Status> read(int32_t partition, std::optional<kafka::ProducerIdentity> owner, Deadline deadline);
  Task<Status> verify(int32_t partition, Deadline deadline);
  Task<Status> place(Partition& partition, int32_t index, Deadline deadline);
  Task<Status> below_log_start(TranslationLogReader& reader, int32_t index, Deadline deadline);
  Task<Status> apply(Partition& partition, int32_t index, kafka::PartitionRead read);
  Task<Result<Offset>> offset_of(int32_t partition, kafka::OffsetOf which, Deadline deadline);
  Task<Status> throw_away(std::string why);
  std::shared_ptr<Partition> partition(int32_t index);

  Env& env_;
  kafka::ClusterClient& cluster_;
  offsets::TranslationStore& store_;
  const Written written_here_;
  const Lacking lacking_;
  Counter& records_read_;
  SlabArena arena_;
  AsyncMutex opening_, applying_;
  std::string identity_;  // of the log; empty: not looked at yet
  std::map<int32_t, std::shared_ptr<Partition>> partitions_;
  uint64_t generation_ = 0;
};

}  // namespace farshore::linker
