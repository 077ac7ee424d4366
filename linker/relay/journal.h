// KafkaRelayJournal: the RelayJournal of relay links into a plain Kafka target. The log of record is the compacted
// topic __farshore_offsets there (bytes: offsets/translation/FORMAT.md); a local offsets::TranslationStore is its
// image, to translate with. Both may be lost on this machine: another gateway reads the same log.
//
//   relayed() --> JournalKey: runs in memory --JournalCheckpoints--> JournalWriter --> log, then image
//   take_over() reads the log into the image up to this gateway's own marker (LogImage), and goes on from there
//   to_target(), to_source(), claims(): the image, with what waits in memory put into it first
//
// Each key (link, source topic, partition) writes under the fenced producer of its shard, one batch at a time; what
// several keys of a shard write at once goes together (JournalLog). A run is written when it closes and, while it
// grows, at most once per `checkpoint_every`. Runs that are in memory only can be derived from the end of the target
// partition at the next takeover.
//
// An image of another log (cluster id, topic id), or one that is ahead of the log (the log lost its tail), is thrown
// away and rebuilt. A local disk that refuses writes (full, say) stops the writing of the key, not its relaying; the
// image is read again every `checkpoint_every`. Executor: the Env's, for all calls. Memory per key: at most
// `runs_pending_max` runs. A key with more stops to write and to translate further until it is taken over again, which
// finds them at the target.
#pragma once

#include <optional>

#include "linker/relay/journal_checkpoints.h"

namespace farshore::linker {

struct RelayJournalStatus {
  size_t keys = 0;          // taken over by this gateway
  size_t keys_stopped = 0;  // of these: not written until the next takeover (see last_error)
  size_t keys_behind = 0;   // of these: something acknowledged is not written yet
  Duration lag{};           // of the key that has been behind longest
  Error last_error;
};

class KafkaRelayJournal final : public replicator::RelayJournal {
 public:
  // References outlive it. `cluster` is the target's. Only this object writes into `store`.
  KafkaRelayJournal(Env& env, kafka::ClusterClient& cluster, offsets::TranslationStore& store,
                    RelayJournalOptions options = {});
  ~KafkaRelayJournal() override;
  void start();
  Task<void> stop();  // writes nothing more; close the cluster client first, or a write under way is waited for

  Task<Result<TopicPartition>> log_of(LinkPartition key, Deadline deadline) override;
  Task<Result<replicator::RelayClaims>> take_over(LinkPartition key, replicator::RelayLogWriter by,
                                                  MonoTime owned_until, Deadline deadline) override;
  void owned_until(const LinkPartition& key, MonoTime until) override;
  void lost(const LinkPartition& key, const Error& fenced) override;
  std::optional<Error> wants_takeover(const LinkPartition& key) override;
  Task<Status> write_anchor(LinkPartition key, RelayAnchor anchor, Deadline deadline) override;
  void relayed(const LinkPartition& key, const TranslationRun& run) override;
  Task<Result<replicator::RelayClaims>> lower_claim(LinkPartition key, TargetOffset target, Deadline deadline) override;

  // Translation with everything that is acknowledged, written or not. For a key that this gateway never took over the
  // log is read first. Errors as TranslationStore.
  Task<Result<offsets::Translated>> to_target(LinkPartition key, SourceOffset offset, std::optional<LogEpoch> epoch,
                                              Deadline deadline);
  Task<Result<offsets::Translated>> to_source(LinkPartition key, TargetOffset offset, Deadline deadline);
  Task<Result<offsets::Claims>> claims(LinkPartition key, Deadline deadline);

  // Only for keys that were taken over (kFenced otherwise). forget_below: the source deleted the records below
  // `log_start`. forget: the link is gone, or the topic is relayed anew.
  Task<Status> forget_below(LinkPartition key, SourceOffset log_start, Deadline deadline);
  Task<Status> forget(LinkPartition key, Deadline deadline) override;

  // The target offset behind the key's last relayed record; 0: nothing was relayed. nullopt: not taken over.
  std::optional<TargetOffset> relayed_end(const LinkPartition& key) const;
  RelayJournalStatus status() const;

 private:
  using KeyPtr = std::shared_ptr<JournalKey>;

  KeyPtr taken_over(const LinkPartition& key) const;  // null: not taken over, or lost since
  bool written_here(const LinkPartition& name, kafka::ProducerIdentity writer) const;
  bool image_lacks_something() const;
  Task<Status> until_idle(KeyPtr key, Deadline deadline);
  // The turn of a key that was taken over. kFenced: it was not. After a failed write: that error.
  Task<Result<JournalTurn>> turn_of(LinkPartition key, Deadline deadline);
  Task<Status> read_log(JournalKey& key, JournalLog& log, replicator::RelayLogWriter by, Deadline deadline);
  std::shared_ptr<JournalLog> log_for(const LinkPartition& key, kafka::ProducerIdentity owner);
  Task<Status> bring_image_up_to_date(LinkPartition key, Deadline deadline);
  Task<Status> put_unlogged(KeyPtr key);

  Env& env_;
  kafka::ClusterClient& cluster_;
  offsets::TranslationStore& store_;
  const RelayJournalOptions options_;
  LogImage image_;
  JournalCheckpoints::Keys keys_;
  // By link and partition of the log: the newest. It counts the sequences of its owner, so it stays while keys come and
  // go; a log is small, and there are 16 for each link.
  std::map<std::pair<LinkId, int32_t>, std::shared_ptr<JournalLog>> logs_;
  Notifier idle_;
  JournalWriter writer_;
  JournalCheckpoints checkpoints_;
};

}  // namespace farshore::linker
