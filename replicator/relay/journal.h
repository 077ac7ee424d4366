// RelayJournal: keeps the anchors and runs of a relay, so that any later gateway can go on exactly. A takeover reads
// them back. The sink knows only this interface; linker/relay implements it on the topic __farshore_offsets and
// offsets/store. Executor: the replicator's, for all calls.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/task.h"
#include "offsets/translation/types.h"
#include "replicator/source_state.h"

namespace farshore::replicator {

// The anchors and runs that are written down about a partition.
struct RelayClaims {
  // The newest anchor, and those that batches at or above the end of `last_run` may belong to; all anchors if nothing
  // is claimed.
  std::vector<RelayAnchor> anchors;
  std::optional<TranslationRun> last_run;  // the one with the highest source end; none: nothing was ever claimed
};

// Who writes the log of record from now on. Several keys that have one partition of the log share a writer.
struct RelayLogWriter {
  RelayLogWriter() = default;
  RelayLogWriter(kafka::ProducerIdentity who) : producer(who) {}  // NOLINT: most takeovers know no more than that

  kafka::ProducerIdentity producer;  // its abort marker was asked for
  // A former owner was fenced by a marker of its own id, which comes behind that of `producer`.
  std::optional<kafka::ProducerIdentity> former;
  // A former owner that no marker fences has stopped by now: what it wrote lies below the present end of the log.
  bool former_has_stopped = false;
};

class RelayJournal {
 public:
  virtual ~RelayJournal() = default;

  // The partition of the log of record that holds this key's entries: fenced together with the data. Created if it is
  // not there. Errors: retriable, or kPermissionDenied.
  virtual Task<Result<TopicPartition>> log_of(LinkPartition key, Deadline deadline) = 0;

  // Called at each takeover: reads log_of(key) as far as a former owner can have written it (at least up to the marker
  // of `writer`), and returns the claims in it. A writer that it knows goes on where it is, and nothing is read again:
  // nobody else has written. From here on writes of the key are made by `writer`; none is sent after `owned_until`
  // (ownership.h). kAmbiguous: it is not known what `writer` wrote last, so it writes no more: fence the log anew.
  virtual Task<Result<RelayClaims>> take_over(LinkPartition key, RelayLogWriter writer, MonoTime owned_until,
                                              Deadline deadline) = 0;
  // The target has confirmed that this gateway still owns the partition: a later `owned_until`.
  virtual void owned_until(const LinkPartition& key, MonoTime until) = 0;
  // Another gateway owns the partition now: nothing more is written, and what is known of it is read from the log.
  virtual void lost(const LinkPartition& key, const Error& fenced) = 0;
  // Set if the log refuses what is to be written, or its fate is unknown, so that only a takeover goes on. The caller
  // takes the partition over again. The journal answers so at growing intervals, not at each question.
  virtual std::optional<Error> wants_takeover(const LinkPartition& key) = 0;

  // Everything that was relayed() before is claimed in the log of record before the anchor, or with it. Acknowledged
  // (acks=all) when it resolves. kFenced: another gateway has the partition. Any
  // other error: it may or may not be there; the caller runs a takeover. The caller has everything below the anchor
  // acknowledged by the target before it calls; one anchor of a key at a time.
  virtual Task<Status> write_anchor(LinkPartition key, RelayAnchor anchor, Deadline deadline) = 0;

  // The target acknowledged these records; runs of one key come in source order. Nothing waits for this: the journal
  // writes a run down when it closes, and the open one at most once per second. After a takeover the first runs may be
  // what the target turned out to hold beyond the last claim.
  virtual void relayed(const LinkPartition& key, const TranslationRun& run) = 0;

  // At a takeover the target turned out to hold less than was claimed (an unclean election): everything at and above
  // `target` is not claimed any more, and anchors with target_from above it are deleted (their records were lost).
  // Durable in the log of record when it resolves; returns the remaining claims.
  virtual Task<Result<RelayClaims>> lower_claim(LinkPartition key, TargetOffset target, Deadline deadline) = 0;

  // The partition is relayed no more: deletes all that is written down of it. kFenced: the key was not taken over.
  virtual Task<Status> forget(LinkPartition key, Deadline deadline) = 0;
};

}  // namespace farshore::replicator
