// KafkaLinkStore: the LinkStore of a target that is a plain Kafka cluster: the compacted topic __farshore_links, one
// partition, made when it is missing. Key and value of a record are those of the entry; a tombstone deletes. The
// revision of an entry is the offset of its last record + 1.
//
// Kafka has no compare-and-set, so there is one writer: the controller, which owns the transactional id
// farshore.control. It fences (proto/kafka/client/fence.h), reads up to its own marker, and keeps all entries in
// memory. No other gateway can change them from then on, so comparing a revision in memory is comparing it in the
// topic. The first call takes control. A store that was fenced stays so until take_control() is called on purpose; its
// gateway must stop working on links. If the answer to a write is lost, the store takes control again and reads.
//
// A controller writes its name under the key `controller`. A takeover that is repeated reads that record again between
// raising the epoch and sending the marker: if another name is there, that controller came later and keeps control.
// Epochs do not tell: the broker ends our own half takeover under a new epoch, too (docs/decisions/0046).
//
// What can be written can be read back: replace() refuses what would make the entries larger than `entries_bytes_max`,
// and reading refuses nothing, whatever is there. A takeover that still gets records goes on behind its deadline, so
// there is no size at which no gateway starts (docs/decisions/0210).
// Executor: the Env's. Calls wait for each other. Memory: all entries, at most `entries_bytes_max` of own writes.
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
  size_t entries_bytes_max = 256 << 20;  // of keys and values. Writes that shrink an entry or delete it are not refused
};

class KafkaLinkStore final : public LinkStore {
 public:
  // `env` and `cluster` outlive it. Connects to nothing yet.
  KafkaLinkStore(Env& env, kafka::ClusterClient& cluster, KafkaLinkStoreOptions options = {});

  // read() and page() also find out whether another controller took over (kFenced).
  Task<Result<StoredEntry>> read(std::string key, Deadline deadline) override;
  Task<Result<StoredPage>> page(std::string begin, std::string end, Deadline deadline) override;
  // kResourceExhausted: the entries would be larger than `entries_bytes_max`.
  Task<Result<int64_t>> replace(StoredEntry entry, Deadline deadline) override;
  Task<Result<std::vector<StoredEntry>>> links(Deadline deadline) override;

  // Becomes the controller, also after kFenced; the previous controller is fenced. After any other error, a repeated
  // call goes on with the same takeover, and returns kFenced if another gateway has taken control since it began.
  Task<Status> take_control(Deadline deadline);
  // To be called every few seconds. Asks the target whether this is still the controller (kFenced), and uses the
  // transactional id, which the target would forget otherwise: after that nothing fences a former controller.
  Task<Status> keep_control(Deadline deadline);
  bool in_control() const { return writer_ != nullptr && !fenced_; }

 private:
  struct Entry {
    std::string value;
    int64_t revision = 0;
  };
  Task<Status> ensure_control(Deadline deadline);
  Task<Status> take_control_locked(Deadline deadline);
  // kFenced: another gateway raised the epoch meanwhile, or wrote its name as controller.
  Task<Status> try_to_take(Deadline deadline);
  Task<Status> confirm_control(Deadline deadline);  // asks, unless it asked a moment ago
  // Reads to the end of the topic, also behind the deadline while records come. kFenced.
  Task<Status> catch_up(Deadline deadline);
  // After a write with an unknown outcome: takes control, and reads whether the entry is there.
  Task<Result<int64_t>> decide(StoredEntry entry, Deadline deadline);
  Status check_room(const StoredEntry& entry) const;
  void remember(const std::string& key, std::optional<std::string> value, int64_t revision);  // nullopt: forgets
  Status apply(const BatchHeader& header, const SliceList& bytes, size_t begin);
  Error fenced() const;

  Env& env_;
  kafka::ClusterClient& cluster_;
  const KafkaLinkStoreOptions options_;
  const std::string name_;  // of this controller; random
  AsyncMutex turn_;
  SlabArena arena_;
  std::unique_ptr<kafka::PartitionReader> reader_;
  std::unique_ptr<kafka::FencedWriter> writer_;
  std::map<std::string, Entry> entries_;
  size_t entries_bytes_ = 0;
  std::string controller_;                 // the name that was read last
  std::optional<std::string> began_with_;  // the name read when our takeover began, or ours; none: it has not begun
  MonoTime confirmed_{}, used_{};          // when the target was asked for the owner of our id; when the id was used
  std::optional<Duration> id_lifetime_;    // none: not asked yet
  bool fenced_ = false;
};

}  // namespace farshore::linker
