// RunTable: the runs of all keys in the KvStore of a TranslationStore. The newest runs of a key are rows of their own,
// so that one that grows is cheap to write. Older ones are sealed, kSealedRuns of them in one row (run_block.h). All
// sealed runs of a key come before all others. FORMAT.md has the rows. Calls that write one key must not overlap.
// Executor: the KvStore's. Owner: TranslationStore. Memory: a number per key.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/kv.h"
#include "offsets/translation/types.h"

namespace farshore::offsets {

// The order of runs: by the source's epoch, then by the source's offset.
struct RunPlace {
  LogEpoch epoch{-1};
  SourceOffset source;
  friend auto operator<=>(const RunPlace&, const RunPlace&) = default;
};
inline constexpr RunPlace kFirstPlace{LogEpoch(-1), SourceOffset(0)};
inline RunPlace place_of_run(const TranslationRun& run) { return {run.source_epoch, run.source}; }

class RunTable {
 public:
  using Runs = std::vector<TranslationRun>;
  static constexpr size_t kSealedRuns = 128;

  // `sealed_runs`: in a block; other numbers than kSealedRuns are for tests.
  RunTable(KvStore& kv, size_t sealed_runs) : kv_(kv), sealed_runs_(sealed_runs) {}

  // --- reading. The end of a range is not in it; none: the end of the key's runs.
  Task<Result<std::optional<TranslationRun>>> first_in(LinkPartition key, RunPlace begin, std::optional<RunPlace> end);
  Task<Result<std::optional<TranslationRun>>> last_in(LinkPartition key, RunPlace begin, std::optional<RunPlace> end);
  Task<Result<Runs>> list(LinkPartition key, RunPlace begin, size_t items_max);  // in order
  // By the target: the last run that begins below, the first that does not, and all that reach above, highest first.
  Task<Result<std::optional<TranslationRun>>> last_below(LinkPartition key, TargetOffset target);
  Task<Result<std::optional<TranslationRun>>> first_from(LinkPartition key, TargetOffset target);
  Task<Result<Runs>> reaching_above(LinkPartition key, TargetOffset target, size_t items_max);

  // --- writing
  // Walks from the newest run backwards. `cut` changes the length of a run (0: it goes) and says whether to walk on.
  // The changes, and `put` (the newest run then; none), are one write.
  using Cut = bool (*)(TranslationRun& old, const TranslationRun& by);
  Task<Status> cut_and_put(LinkPartition key, TranslationRun by, Cut cut, bool put, Sync sync);
  Task<Status> erase(LinkPartition key, RunPlace place);  // exactly this run; not there: nothing happens
  void erase_all(KvBatch& batch, const LinkPartition& key);

 private:
  using Rows = std::vector<std::pair<std::string, std::string>>;
  Task<Result<Runs>> block_before(LinkPartition key, std::string end);  // the last that begins below the row; or empty
  Task<Result<Runs>> block_from(LinkPartition key, std::string begin);  // the first at or above it; or empty
  Task<Status> cut_rows(LinkPartition key, TranslationRun by, Cut cut, KvBatch& batch, bool& walk_on);
  Task<Status> cut_blocks(LinkPartition key, TranslationRun by, Cut cut, KvBatch& batch);
  Task<Status> seal(LinkPartition key);
  Task<Result<size_t>> count_rows(LinkPartition key);

  KvStore& kv_;
  const size_t sealed_runs_;
  std::map<LinkPartition, size_t> rows_;  // of the keys that were written: about so many are not sealed
};

}  // namespace farshore::offsets
