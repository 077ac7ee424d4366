// JournalLog: one partition of the log of record __farshore_offsets, as the owner of one fence writes it. The keys of a
// shard (replicator/relay/shards.h) share it, so what several keys append while a write is under way goes together in
// the next one: 60 keys that begin at once cost two round trips, not 60.
//
// Each append is written whole or not at all. A write whose fate is unknown ends the log for all its keys: usable() is
// false from then on, and the log of record must be fenced anew. A write that the log refuses as too large is sent
// again, each key's part alone.
// Executor: the Env's. Shared by the keys. Limits: at most `records_max` records in one write, unless one append has
// more.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/async_mutex.h"
#include "base/env.h"
#include "proto/kafka/client/fenced_writer.h"

namespace farshore::linker {

class JournalLog {
 public:
  // References outlive it. `owner`: of the latest fence of `partition`.
  JournalLog(Env& env, kafka::ClusterClient& cluster, TopicPartition partition, kafka::ProducerIdentity owner,
             size_t records_max)
      : records_max_(records_max), writer_(env, cluster, std::move(partition), owner), turn_(env) {}

  kafka::ProducerIdentity owner() const { return writer_.owner(); }
  bool usable() const { return writer_.usable(); }

  // The generation of the image (LogImage) that holds all of the log up to the owner's marker. None: it was not read so
  // far. The marker itself may be gone later: a cleaner removes it.
  std::optional<uint64_t> read_into;

  struct Appended {
    Status result;          // errors as kafka::FencedWriter::append()
    bool in_doubt = false;  // an error, and the records may be in the log
  };
  // Ends by the latest deadline of those that are written together.
  Task<Appended> append(std::vector<kafka::KeyedRecord> records, Deadline deadline);

 private:
  struct Wish {
    std::vector<kafka::KeyedRecord> records;
    Deadline deadline;
    bool done = false;
    Appended appended;
  };
  using Wishes = std::vector<std::shared_ptr<Wish>>;
  Wishes take_waiting();
  Task<void> write(Wishes wishes);

  const size_t records_max_;
  kafka::FencedWriter writer_;
  AsyncMutex turn_;
  std::deque<std::shared_ptr<Wish>> waiting_;  // at most one of each key
};

}  // namespace farshore::linker
