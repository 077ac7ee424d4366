// KafkaLinkStore: the LinkStore of a target that is a plain Kafka cluster: the compacted topic __farshore_links, one
// partition, made when it is missing. A record's key and value are the entry's, as they are; a tombstone deletes.
//
// Kafka compares nothing, so there is one writer: the controller, which owns the transactional id farshore.control. It
// fences (proto/kafka/client/fence.h), reads to its own marker, and keeps all entries in memory; nobody else can change
// them from then on, so that comparing a revision in memory is comparing it in the topic (correctness C14). Control is
// taken by the first call. A store that was fenced stays so: its gateway must stop working on links, and take_control()
// is said on purpose. A write whose answer is lost is decided by taking control again and reading. Who has taken
// control writes its name under `controller`. A takeover that fails half-way and is tried again, and one that decides a
// write, look there first, and between raising the epoch and sending the marker: whoever took control meanwhile came
// later, and keeps it. Epochs do not tell: our own half takeover is ended under a new one, too. A revision is the
// offset of the key's last record + 1. Executor: the Env's. Memory: all entries
// (`entries_bytes_max`).
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/async_mutex.h"
#include "base/env.h"
#include "linker/store/link_store.h"
#include "proto/kafka/client/fenced_writer.h"
#include "proto/kafka/client/partition_reader.h"
#include "proto/link/keys.h"

namespace farshore::linker {

struct KafkaLinkStoreOptions {
  std::string transactional_id = kControlTransactionalId;
  size_t entries_bytes_max = 64 << 20;
};

class KafkaLinkStore final : public LinkStore {
 public:
  // `env` and `cluster` outlive it. Connects to nothing yet.
  KafkaLinkStore(Env& env, kafka::ClusterClient& cluster, KafkaLinkStoreOptions options = {});

  // As LinkStore says. list() also looks whether another controller took over (kFenced).
  Task<Result<std::vector<StoredEntry>>> list(std::string prefix, Deadline deadline) override;
  Task<Result<int64_t>> replace(StoredEntry entry, Deadline deadline) override;

  // Becomes the controller, also after kFenced; whoever was it before is fenced. After any other error a repetition
  // goes on with the same takeover: kFenced if somebody else has taken control since it began.
  Task<Status> take_control(Deadline deadline);
  bool in_control() const { return writer_ != nullptr && !fenced_; }

 private:
  struct Entry {
    std::string value;
    int64_t revision = 0;
  };
  Task<Status> ensure_control(Deadline deadline);
  Task<Status> take_control_locked(Deadline deadline);
  Task<Status> try_to_take(Deadline deadline);  // kFenced: somebody raised the epoch meanwhile, or wrote as controller
  Task<Status> catch_up(Deadline deadline);     // to the end; finds out whether we were fenced
  Task<Result<int64_t>> decide(StoredEntry entry, Deadline deadline);
  Status apply(const BatchHeader& header, const SliceList& bytes, size_t begin);
  Error fenced() const;

  Env& env_;
  kafka::ClusterClient& cluster_;
  const KafkaLinkStoreOptions options_;
  const std::string name_;  // ours as the controller
  AsyncMutex turn_;
  SlabArena arena_;
  std::unique_ptr<kafka::PartitionReader> reader_;
  std::unique_ptr<kafka::FencedWriter> writer_;
  std::map<std::string, Entry> entries_;
  size_t entries_bytes_ = 0;
  std::string controller_;                 // the last one that was read
  std::optional<std::string> began_with_;  // the controller whom we replace, or ourselves; none: no takeover began
  bool fenced_ = false;
};

}  // namespace farshore::linker
