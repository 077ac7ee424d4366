// JournalKey: what KafkaRelayJournal keeps of one key (link, source topic, partition): the runs that the target has
// acknowledged and the log does not hold yet, the anchors in the log, and who writes. No I/O of its own.
// Executor: the Env's. Owner: KafkaRelayJournal; coroutines at work on the key share it.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/async_mutex.h"
#include "linker/relay/journal_log.h"
#include "offsets/store/translation_store.h"
#include "replicator/relay/journal.h"

namespace farshore::linker {

// One append to the log, and what changes when it is acknowledged.
struct JournalBatch {
  std::vector<TranslationRecord> records;
  std::vector<RelayAnchor> erased_anchors;
  size_t closed = 0;                   // so many runs of the front of JournalKey::closed
  std::optional<TranslationRun> open;  // the open run, as it is written
  std::optional<RelayAnchor> anchor;

  void add(const LinkPartition& key, const TranslationRun& run, bool erased = false);
  void add(const LinkPartition& key, const RelayAnchor& anchor);
  void erase(const LinkPartition& key, const RelayAnchor& anchor);
};

struct JournalKey {
  static constexpr size_t kAnchorsPerBatchMax = 200;

  JournalKey(Reactor& reactor, const LinkPartition& partition);

  // The next run that the target acknowledged. False: more than `pending_max` runs wait; nothing is kept any more.
  bool add(const TranslationRun& run, size_t pending_max);
  bool behind() const { return !closed.empty() || (open && open->length > open_logged); }
  bool stopped() const { return failure.code != ErrorCode::kNone; }
  // What waits, at most `runs_max` runs; and as many tombstones of anchors before the newest one that these runs have
  // reached: all their records are below the runs' end, so no scan of the target needs these anchors again. Fewer of
  // both after the log has refused a batch as too large.
  JournalBatch gather(size_t runs_max) const;
  // A write failed: how long until the next try. It grows with each failure in a row.
  void write_failed() { ++failures; }
  Duration pause() const;
  // The log has acknowledged the batch.
  void acknowledged(const JournalBatch& batch);
  // After a takeover, or after claims were lowered: the log holds exactly these claims.
  void continue_at(const offsets::Claims& claims);

  const LinkPartition name;
  std::shared_ptr<JournalLog> writer;  // null: not taken over
  // Its records in the log need no reading: they are in the image since they were written. None: the log must be read.
  std::optional<kafka::ProducerIdentity> written_by;
  bool in_doubt = false;    // the fate of a write is unknown: the next takeover reads the key from the log's start
  bool busy = false;        // a JournalTurn of the key exists
  AsyncMutex storing;       // one writer of the local image at a time
  Error failure;            // nothing more is written until the next takeover; kNone: none
  bool lost = false;        // another gateway has the partition
  MonoTime owned_until{};   // nothing is sent later (replicator/relay/ownership.h)
  int failures = 0;         // writes that failed since the last one that did not
  int too_large = 0;        // refused as too large, less those taken since: halves a batch each
  MonoTime retake_at{};     // when a takeover may help, if `failure` is set
  bool overflowed = false;  // nothing more is kept either

  std::deque<TranslationRun> closed;   // whole runs, in source order
  std::optional<TranslationRun> open;  // the one that still grows, behind them
  int64_t open_logged = 0;             // the length of `open` that the log holds
  TargetOffset logged_end;             // all claims of the log end here
  std::vector<RelayAnchor> anchors;    // in the log, in the order of writing
  bool in_store = false;               // the local image holds runs that the log does not
  bool image_behind = false;           // the local image refused what the log took: it is read from there again
  MonoTime checkpoint_at{};            // not before
  std::optional<MonoTime> behind_since;
  uint64_t generation = 0;  // of the image that this key was read into
};

// The right to write for one key: one holder at a time. Given back when it goes.
class JournalTurn {
 public:
  // `idle` is notified at the end; it outlives the turn. The key must not be busy.
  JournalTurn(Reactor& reactor, Notifier& idle, std::shared_ptr<JournalKey> key);
  JournalTurn(JournalTurn&& other) noexcept = default;
  JournalTurn& operator=(JournalTurn&&) = delete;
  ~JournalTurn();

  JournalKey& operator*() const { return *key_; }
  JournalKey* operator->() const { return key_.get(); }

 private:
  Reactor* reactor_;
  Notifier* idle_;
  std::shared_ptr<JournalKey> key_;  // null: moved from
};

}  // namespace farshore::linker
