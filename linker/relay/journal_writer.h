// JournalWriter: writes of one key to the log of record __farshore_offsets, each followed by the same change of the
// local image. The caller has the key's turn (JournalTurn). The image follows the log: it changes only when the log has
// acknowledged. If the local disk refuses, the key is marked image_behind; the log still has everything.
// Executor: the Env's. Owner: KafkaRelayJournal. Deadlines are the caller's.
#pragma once

#include "base/env.h"
#include "linker/relay/journal_key.h"
#include "linker/relay/journal_options.h"

namespace farshore::linker {

class JournalWriter {
 public:
  // References outlive it.
  JournalWriter(Env& env, offsets::TranslationStore& store, const RelayJournalOptions& options)
      : env_(env), store_(store), options_(options) {}

  // kUnavailable: the ownership of the key is not confirmed (JournalKey::owned_until). kInvalidArgument: the log
  // refuses the batch as too large; nothing was written, and the next batch is smaller. After both, the key is tried
  // again after JournalKey::pause(). After any other error nothing more is written for the key until its next takeover.
  Task<Status> write(JournalKey& key, JournalBatch batch, Deadline deadline);
  // Writes waiting runs: at most one batch.
  Task<Status> write_pending(JournalKey& key, Deadline deadline);
  // Writes all waiting runs, and then the anchor.
  Task<Status> write_anchor(JournalKey& key, RelayAnchor anchor, Deadline deadline);
  // Claims at and above `target` are withdrawn, and anchors above it become void.
  Task<Status> lower(JournalKey& key, TargetOffset target, Deadline deadline);
  // Tombstones for whole runs below `log_start`. The last run stays: the relay goes on behind it.
  Task<Status> forget_below(JournalKey& key, SourceOffset log_start, Deadline deadline);
  // Tombstones for everything.
  Task<Status> forget(JournalKey& key, Deadline deadline);

  // Nothing more is written for the key until its next takeover; logged once.
  void stop_key(JournalKey& key, Error why);
  const Error& last_error() const { return last_error_; }

 private:
  void note_failure(JournalKey& key, const Error& why);
  // Erased records do not move the end of the claims.
  Task<Status> write_erased(JournalKey& key, JournalBatch batch, Deadline deadline);
  Task<Status> void_anchors_above(JournalKey& key, TargetOffset target, Deadline deadline);

  Env& env_;
  offsets::TranslationStore& store_;
  const RelayJournalOptions& options_;
  Error last_error_;
};

}  // namespace farshore::linker
