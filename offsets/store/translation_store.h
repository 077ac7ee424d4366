// TranslationStore: the exact offset translation of relay links, on a KvStore (RocksDB in a gateway, memory in
// libfarshore). It is a rebuildable image of the target's topic __farshore_offsets, plus what was acknowledged since
// the last checkpoint: it can be deleted at any time. Executor: the KvStore's. FORMAT.md has the key layout.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/kv.h"
#include "proto/translation/translation.h"

namespace farshore::offsets {

// What one record of __farshore_offsets does to the image. See proto/translation/translation_records.h for its bytes.
struct Claims {
  std::vector<RelayAnchor> anchors;
  std::optional<TranslationRun> last_run;  // the one with the highest source end
};

struct Translated {
  int64_t offset = 0;  // at the other end
  LogEpoch source_epoch{-1};
  bool exact = true;  // false: there is no such record at the other end; this is the next one after it
};

class TranslationStore {
 public:
  explicit TranslationStore(KvStore& kv) : kv_(kv) {}

  // --- writing. Runs of one key never contradict each other: what overlaps an earlier run replaces it from there on.
  // A run that continues the last one on both sides (and has its epochs) extends it.
  Task<Status> put_run(TranslationKey key, TranslationRun run, Sync sync = Sync::kNo);
  Task<Status> put_anchor(TranslationKey key, RelayAnchor anchor, Sync sync = Sync::kNo);
  // Durable before it resolves: everything at and above `target` is claimed no more (under-claim first).
  Task<Status> lower_claim(TranslationKey key, TargetOffset target);
  // Runs and anchors that lie whole below the source's log start.
  Task<Status> erase_below(TranslationKey key, SourceOffset source);
  Task<Status> erase(TranslationKey key);

  // --- reading
  Task<Result<Claims>> claims(TranslationKey key);
  Task<Result<std::vector<TranslationRun>>> runs(TranslationKey key, SourceOffset from, size_t items_max);
  // The record at a source offset, and back. An offset that holds no record at the other end (a gap, a foreign record,
  // a marker) gives the next one, exact = false; the end of the last run gives the end. `epoch`: where the source lost
  // and rewrote offsets, which of the two is meant; none: the newest.
  // kOutOfRange: beyond what is claimed, or below the first run. kNotFound: nothing is known of this key.
  Task<Result<Translated>> to_target(TranslationKey key, SourceOffset offset, std::optional<LogEpoch> epoch);
  Task<Result<Translated>> to_source(TranslationKey key, TargetOffset offset);

  // --- how far the log of record was applied, per partition of it: written with what was applied.
  Task<Result<std::map<int32_t, int64_t>>> applied();
  Task<Status> set_applied(int32_t log_partition, int64_t next_offset, Sync sync = Sync::kNo);

 private:
  KvStore& kv_;
};

}  // namespace farshore::offsets
