// RunTable: the runs of all keys in the KvStore of a TranslationStore. The newest runs of a key are rows of their own,
// so that one that grows is cheap to write. Older ones are sealed, kSealedRuns of them in one row (run_block.h). All
// sealed runs of a key come before all others. FORMAT.md has the rows.
//
// The runs of a key are read into memory (KeyRuns) when the key is used first, and answers come from there. Every
// change is written to the KvStore first. If more than kMemoryMax is used, the keys that were used longest ago leave
// the memory; they are read again when they are used again. Calls that write one key must not overlap. Executor: the
// KvStore's. Owner: TranslationStore.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/kv.h"
#include "offsets/store/key_runs.h"

namespace farshore::offsets {

class RunTable {
 public:
  using Runs = KeyRuns::Runs;
  static constexpr size_t kSealedRuns = 128;
  static constexpr size_t kMemoryMax = 512 << 20;

  // `sealed_runs`: in a block; other numbers than the defaults are for tests.
  RunTable(KvStore& kv, size_t sealed_runs, size_t memory_max = kMemoryMax)
      : kv_(kv), sealed_runs_(sealed_runs), memory_max_(memory_max) {}

  // --- reading: of the runs as they are now. kCorrupt: a damaged row.
  Task<Result<std::shared_ptr<const KeyRuns>>> of(LinkPartition key);
  size_t memory_bytes() const { return memory_bytes_; }

  // --- writing
  // Walks from the newest run backwards. `cut` changes the length of a run and says whether to walk on: so if and only
  // if nothing is left of it. The changes, and `put` (the newest run then), are one write.
  using Cut = bool (*)(TranslationRun& old, const TranslationRun& by);
  Task<Status> cut_and_put(LinkPartition key, TranslationRun by, Cut cut, bool put, Sync sync);
  Task<Status> erase(LinkPartition key, RunPlace place);  // exactly this run; not there: nothing happens
  // All runs of the key, or of all keys. forget() is to be called after the batch was written, too.
  void erase_all(KvBatch& batch, const LinkPartition& key);
  void forget(const LinkPartition& key);
  void forget_all();

 private:
  using Rows = std::vector<std::pair<std::string, std::string>>;
  struct Entry {
    std::shared_ptr<KeyRuns> runs;
    size_t bytes = 0;   // as counted in memory_bytes_
    uint64_t used = 0;  // the higher, the later
  };
  Task<Result<std::shared_ptr<KeyRuns>>> load(LinkPartition key);
  Task<Result<std::shared_ptr<KeyRuns>>> read(LinkPartition key);
  Task<Status> read_table(char table, LinkPartition key, KeyRuns& into);
  Task<Status> write(LinkPartition key, KvBatch batch, Sync sync);
  Task<Status> seal(LinkPartition key);
  // After a change of what is in memory. The key may have been forgotten, or read anew, during the write.
  void count(const LinkPartition& key, const KeyRuns& changed);
  void make_room(const LinkPartition& keep);

  KvStore& kv_;
  const size_t sealed_runs_, memory_max_;
  std::map<LinkPartition, Entry> keys_;  // limited by memory_max_
  size_t memory_bytes_ = 0;
  uint64_t uses_ = 0, forgets_ = 0;
};

}  // namespace farshore::offsets
