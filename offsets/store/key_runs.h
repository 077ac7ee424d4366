// KeyRuns: the runs of one key in memory, as RunTable has them in the KvStore: the older ones in blocks (run_block.h),
// the newest as they are. So a run costs some six bytes, and an answer is a binary search over the blocks and a walk
// through one of them, without a read of the KvStore. Not thread-safe; no I/O. Owner: RunTable.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "offsets/translation/types.h"

namespace farshore::offsets {

// The order of runs: by the source's epoch, then by the source's offset. By target they have the same order.
struct RunPlace {
  LogEpoch epoch{-1};
  SourceOffset source;
  friend auto operator<=>(const RunPlace&, const RunPlace&) = default;
};
inline constexpr RunPlace kFirstPlace{LogEpoch(-1), SourceOffset(0)};
inline RunPlace place_of_run(const TranslationRun& run) { return {run.source_epoch, run.source}; }

class KeyRuns {
 public:
  using Runs = std::vector<TranslationRun>;

  // --- reading. The end of a range is not in it; none: the end of the runs.
  std::optional<TranslationRun> first_in(RunPlace begin, std::optional<RunPlace> end) const;
  std::optional<TranslationRun> last_in(RunPlace begin, std::optional<RunPlace> end) const;
  Runs list(RunPlace begin, size_t items_max) const;  // in order
  // By the target: the last run that begins below, and all that reach above, highest first.
  std::optional<TranslationRun> last_below(TargetOffset target) const;
  Runs reaching_above(TargetOffset target, size_t items_max) const;

  bool empty() const { return blocks_.empty() && rows_.empty(); }

  // --- the blocks, oldest first, and the rows behind them
  size_t blocks() const { return blocks_.size(); }
  Runs block(size_t index) const;
  RunPlace block_place(size_t index) const { return blocks_[index].place; }
  // The last block that begins at or below `place`; none: all begin above it.
  std::optional<size_t> block_of(RunPlace place) const;
  const Runs& rows() const { return rows_; }
  size_t bytes() const { return bytes_ + rows_.capacity() * sizeof(TranslationRun); }

  // --- changes, in order
  void add_block(std::string encoded);                 // behind the others; of encode_run_block()
  void replace_block(size_t index, const Runs& runs);  // empty: it goes
  void add_row(const TranslationRun& run);
  void cut_rows(size_t kept, const std::optional<TranslationRun>& last);  // `last`: instead of the last that is kept
  void change_rows(Runs rows) { rows_ = std::move(rows); }

 private:
  struct Block {
    RunPlace place;  // of its first run, which begins at `target`
    TargetOffset target;
    std::string encoded;
  };
  static Block block_with(std::string encoded);
  static size_t bytes_of(const Block& block) { return sizeof(Block) + block.encoded.capacity() + 16; }  // of the heap

  std::vector<Block> blocks_;
  Runs rows_;
  size_t bytes_ = 0;  // of the blocks
};

}  // namespace farshore::offsets
