// KafkaRelayJournal: what relay links write down at a plain Kafka target: the compacted topic __farshore_offsets (its
// bytes: offsets/translation/FORMAT.md) is the log of record, offsets::TranslationStore its local image. Both can be
// lost here: another gateway reads the same log.
//
// Each key (link, source topic, partition) writes under its own fenced producer, the one that also writes its data, one
// batch at a time. A run is written when it closes and, while it grows, at most once per `checkpoint_every`; what was
// acknowledged since is in memory, translates, and can be derived from the target's tail by whoever comes next. Anchors
// that later runs have made superfluous are tombstoned along the way.
//
// The image is applied in log order up to our own marker before a takeover answers. An image of another log (cluster
// id, topic id), or ahead of it (the log lost its tail), is thrown away and rebuilt. A local disk that refuses writes
// (full, say) stops the key, not what it relays; each `checkpoint_every` it is tried again, from the log. Executor: the
// Env's, for all calls. Memory per key: `runs_pending_max` runs at most; a key with more stops to write and to
// translate further until it is taken over again, which finds them at the target.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "base/gate.h"
#include "linker/relay/log_image.h"
#include "offsets/store/translation_store.h"
#include "proto/kafka/client/fenced_writer.h"
#include "replicator/relay/journal.h"

namespace farshore::linker {

struct RelayJournalOptions {
  Duration checkpoint_every = seconds(1);
  size_t runs_pending_max = 1 << 16;        // per key
  size_t runs_per_batch_max = 2000;         // some 100 KB
  int writes_in_flight_max = 16;            // checkpoints of different keys
  Duration checkpoint_limit = minutes(10);  // of one batch; then the key waits for a takeover
};

struct RelayJournalStatus {
  size_t keys = 0;          // taken over by this gateway
  size_t keys_stopped = 0;  // of these: not written down any more until the next takeover (see last_error)
  size_t keys_behind = 0;   // of these: something acknowledged is not written down yet
  Duration lag{};           // since when, of the one that is behind longest
  Error last_error;
};

class KafkaRelayJournal final : public replicator::RelayJournal {
 public:
  using PumpKey = replicator::PumpKey;
  // References outlive it. `cluster` is the target's; `store` is used by nobody else for writing.
  KafkaRelayJournal(Env& env, kafka::ClusterClient& cluster, offsets::TranslationStore& store,
                    RelayJournalOptions options = {});
  ~KafkaRelayJournal() override;
  void start();
  Task<void> stop();  // writes nothing more; close the cluster client first, or a write under way is waited for

  Task<Result<TopicPartition>> log_of(PumpKey key, Deadline deadline) override;
  Task<Result<replicator::RelayClaims>> take_over(PumpKey key, RelayProducer owner, Deadline deadline) override;
  Task<Status> write_anchor(PumpKey key, RelayAnchor anchor, Deadline deadline) override;
  void relayed(const PumpKey& key, const TranslationRun& run) override;
  Task<Result<replicator::RelayClaims>> lower_claim(PumpKey key, TargetOffset target, Deadline deadline) override;

  // Translation with everything that is acknowledged, whether written down yet or not. A key that this gateway never
  // took over is looked up in the log first. Errors as TranslationStore.
  Task<Result<offsets::Translated>> to_target(PumpKey key, SourceOffset offset, std::optional<LogEpoch> epoch,
                                              Deadline deadline);
  Task<Result<offsets::Translated>> to_source(PumpKey key, TargetOffset offset, Deadline deadline);
  Task<Result<offsets::Claims>> claims(PumpKey key, Deadline deadline);

  // Only for keys that were taken over (kFenced otherwise): the source deleted what lies below; the link is gone.
  Task<Status> forget_below(PumpKey key, SourceOffset log_start, Deadline deadline);
  Task<Status> forget(PumpKey key, Deadline deadline);

  // Behind the last record of a key that this gateway took over: what was relayed ends here, in offsets of the target
  // (0: nothing was). nullopt: not taken over.
  std::optional<TargetOffset> relayed_end(const PumpKey& key) const;
  RelayJournalStatus status() const;

 private:
  struct KeyState;
  struct Batch;  // one append: its records, and what changes when it is acknowledged
  using State = std::shared_ptr<KeyState>;

  bool written_here(const TranslationKey& name) const;
  bool lacks_something() const;
  Task<void> checkpoint_loop();
  Task<void> checkpoint(State state);
  Task<void> repair_image(State state);
  Task<Status> write(State state, Batch batch, Deadline deadline);
  Task<Status> erase_records(State state, std::vector<TranslationRecord> records, Deadline deadline);
  Task<Result<State>> taken(PumpKey key, Deadline deadline);
  Task<Status> idle(State state, Deadline deadline);
  Task<Status> bring_up_to_date(PumpKey key, Deadline deadline);
  Task<Status> lower(State state, TargetOffset target, Deadline deadline);
  Batch gather(KeyState& state) const;
  void stopped(KeyState& state, Error why);

  Env& env_;
  kafka::ClusterClient& cluster_;
  offsets::TranslationStore& store_;
  const RelayJournalOptions options_;
  LogImage image_;
  std::map<PumpKey, State> keys_;
  Notifier idle_, wake_;
  int writes_in_flight_ = 0;
  bool stopping_ = false;
  Error last_error_;
  Gate gate_;
};

}  // namespace farshore::linker
