// What KafkaRelayJournal keeps of one key (link, source topic, partition). For its own files.
#pragma once

#include "base/async_mutex.h"
#include "linker/relay/journal.h"

namespace farshore::linker {

inline constexpr size_t kAnchorsPerBatchMax = 200;

inline RunRecord record_of(const TranslationKey& key, const TranslationRun& run) {
  RunRecord record;
  record.key = key;
  record.run = run;
  return record;
}

struct KafkaRelayJournal::KeyState {
  explicit KeyState(Reactor& reactor) : storing(reactor) {}

  PumpKey key;
  TranslationKey name;
  std::unique_ptr<kafka::FencedWriter> writer;  // none: not taken over
  bool busy = false;                            // a batch is on its way, or the key is being taken over
  AsyncMutex storing;                           // the store has one writer at a time for a key
  Error failure;                                // nothing more is written until the next takeover
  bool overflowed = false;                      // nothing more is remembered either

  // What was acknowledged and is not in the log: whole runs, then the open one, of which `open_logged` is.
  std::deque<TranslationRun> closed;
  std::optional<TranslationRun> open;
  int64_t open_logged = 0;
  TargetOffset logged_end;           // all claims of the log end here
  bool in_store = false;             // the store holds runs that the log does not
  bool image_behind = false;         // the store refused what the log took: it is read from there again
  std::vector<RelayAnchor> anchors;  // in the log, in the order of writing
  MonoTime checkpoint_at{};          // not before
  std::optional<MonoTime> behind_since;
  uint64_t generation = 0;  // of the image that this key was read into

  bool behind() const { return !closed.empty() || (open && open->length > open_logged); }
};

struct KafkaRelayJournal::Batch {
  std::vector<TranslationRecord> records;
  std::vector<RelayAnchor> erased_anchors;
  size_t closed = 0;                   // so many of the front
  std::optional<TranslationRun> open;  // as it was written
  std::optional<RelayAnchor> anchor;
};

}  // namespace farshore::linker
