// TranslationStore: the exact offset translation of relay links, on a KvStore (RocksDB in a gateway, memory in
// libfarshore). It is a rebuildable image of the target's topic __farshore_offsets, plus the runs that were
// acknowledged since the last checkpoint: it can be deleted at any time. Executor: the KvStore's. FORMAT.md has the key
// layout.
//
// The runs of one key have one order: by (source epoch, source offset) and by target offset alike, because a relay only
// appends. Every rule below follows from that. Calls that write one key must not overlap.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/kv.h"
#include "offsets/store/run_table.h"
#include "offsets/translation/anchor.h"
#include "offsets/translation/records.h"

namespace farshore::offsets {

struct Claims {
  std::vector<RelayAnchor> anchors;        // by (producer, sequence)
  std::optional<TranslationRun> last_run;  // in the order above: what was relayed last
};

struct Translated {
  int64_t offset = 0;  // at the other end
  LogEpoch source_epoch{-1};
  bool exact = true;  // false: there is no such record at the other end; this is the next one after it
};

// How far a partition of the log of record was applied, and in which epoch its last batch was written: a log that ends
// that epoch below `next_offset` is another one, or was cut.
struct AppliedTo {
  int64_t next_offset = 0;
  int32_t leader_epoch = -1;
  friend bool operator==(const AppliedTo&, const AppliedTo&) = default;
};

class TranslationStore {
 public:
  // `kv` outlives it, and only this object uses it. Memory: RunTable::kMemoryMax for the runs of all keys.
  explicit TranslationStore(KvStore& kv, size_t sealed_runs = RunTable::kSealedRuns,
                            size_t memory_max = RunTable::kMemoryMax)
      : kv_(kv), runs_(kv, sealed_runs, memory_max) {}

  // --- writing. A run removes all that is claimed at or after its (source epoch, source) and at or above its target,
  // then claims its range: the one that grows, written again, and the one that comes after a loss are the same case.
  // Length 0: claims nothing, and removes the same. kInvalidArgument: negative numbers.
  Task<Status> put_run(LinkPartition key, TranslationRun run, Sync sync = Sync::kNo);
  Task<Status> put_anchor(LinkPartition key, RelayAnchor anchor, Sync sync = Sync::kNo);
  // Applies the record of __farshore_offsets to the image.
  Task<Status> apply(TranslationRecord record, Sync sync = Sync::kNo);
  // Durable before it resolves: nothing at or above `target` is claimed any more.
  Task<Status> lower_claim(LinkPartition key, TargetOffset target);
  // A run that the target acknowledged and that the log of record does not hold yet: it translates already.
  // `logged_end`: the log holds everything of the key below this target offset. drop_unlogged() takes all such runs
  // back (a takeover uses the log alone, so that nothing is missing there). all_logged(): the log holds everything now.
  Task<Status> put_unlogged(LinkPartition key, TranslationRun run, TargetOffset logged_end);
  Task<Status> drop_unlogged(LinkPartition key);
  Task<Status> all_logged(LinkPartition key);
  // Exactly this run (by epoch and source), this anchor (by producer and sequence); not there: nothing happens.
  Task<Status> erase_run(LinkPartition key, LogEpoch source_epoch, SourceOffset source);
  Task<Status> erase_anchor(LinkPartition key, RelayAnchor anchor);
  Task<Status> erase(LinkPartition key);  // everything of the key
  Task<Status> clear();                   // everything

  // --- reading
  Task<Result<Claims>> claims(LinkPartition key);
  // In order, from the one that holds `from` in the newest epoch that had begun there, or the next one.
  Task<Result<std::vector<TranslationRun>>> runs(LinkPartition key, SourceOffset from, size_t items_max);
  // The runs that lower_claim(target) would change, highest first.
  Task<Result<std::vector<TranslationRun>>> runs_above(LinkPartition key, TargetOffset target, size_t items_max);
  // The record at a source offset, and back. An offset that holds no record at the other end (a gap, a foreign record,
  // a marker) gives the next one, exact = false; the end of the last run gives the end, exact: the next to come.
  // Behind the last run, up to the newest anchor, there is no record either: the source had only gaps and transaction
  // markers there. So an offset up to the anchor gives where the next record will be; the anchor's own is exact.
  // `epoch`: where the source lost and rewrote offsets, which of the two is meant (of the record at `offset`, or of the
  // one before it); none: the newest.
  // kOutOfRange: beyond the claims, or below the first run. kNotFound: nothing is known of this key.
  // Answered from memory (run_table.h), but for offsets behind the last run.
  Task<Result<Translated>> to_target(LinkPartition key, SourceOffset offset, std::optional<LogEpoch> epoch);
  Task<Result<Translated>> to_source(LinkPartition key, TargetOffset offset);

  size_t memory_bytes() const { return runs_.memory_bytes(); }  // of runs

  // --- how far the log of record was applied, per partition of it. Written after what was applied, and made durable
  // with it at the latest: a crash between the two applies some records again, which changes nothing.
  Task<Result<std::map<int32_t, AppliedTo>>> applied();
  Task<Status> set_applied(int32_t log_partition, AppliedTo to, Sync sync = Sync::kNo);
  // Which log this is the image of (cluster id and topic id); empty: none yet. Set it on an empty store.
  Task<Result<std::string>> log_identity();
  Task<Status> set_log_identity(std::string identity);

 private:
  Task<Result<std::optional<KnownEnd>>> known_end_of(LinkPartition key);
  KvStore& kv_;
  RunTable runs_;
};

}  // namespace farshore::offsets
