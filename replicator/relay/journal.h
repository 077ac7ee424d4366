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

class RelayJournal {
 public:
  virtual ~RelayJournal() = default;

  // The partition of the log of record that holds this key's entries: fenced together with the data. Created if it is
  // not there. Errors: retriable, or kPermissionDenied.
  virtual Task<Result<TopicPartition>> log_of(LinkPartition key, Deadline deadline) = 0;

  // Called once per takeover, after the abort marker of `owner` was asked for: reads log_of(key) at least up to that
  // marker (so that nothing older can still appear), and returns the claims in it. From here on writes are made as
  // `owner`, sequences from 0; none is sent after `owned_until` (ownership.h).
  virtual Task<Result<RelayClaims>> take_over(LinkPartition key, kafka::ProducerIdentity owner, MonoTime owned_until,
                                              Deadline deadline) = 0;
  // The target has confirmed that `owner` of the last take_over() still owns the partition: a later `owned_until`.
  virtual void owned_until(const LinkPartition& key, MonoTime until) = 0;
  // Another gateway owns the partition now: nothing more is written, and what is known of it is read from the log.
  virtual void lost(const LinkPartition& key, const Error& fenced) = 0;
  // Set if the log refuses what is to be written, or its fate is unknown, so that only a takeover goes on. The caller
  // takes the partition over again. The journal answers so at growing intervals, not at each question.
  virtual std::optional<Error> wants_takeover(const LinkPartition& key) = 0;

  // Acknowledged by the log of record (acks=all) when it resolves. kFenced: another gateway has the partition. Any
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
};

}  // namespace farshore::replicator
