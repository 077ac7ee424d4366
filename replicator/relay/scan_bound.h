// RelayScanBound: keeps the scan of a later takeover short. A takeover reads the target from the newest claim or anchor
// on (evidence.h). While a relay is quiet, other programs may write to the same partition without end; so an anchor is
// written behind them after every `others_offsets_max` offsets. Asks for the ends of quiet partitions every
// `ends_every`, together (target_questions.h).
// Executor: the Env's. Owner: RelaySink. Work runs in the sink's gate.
#pragma once

#include <functional>
#include <map>

#include "base/env.h"
#include "base/gate.h"
#include "replicator/relay/journal.h"
#include "replicator/relay/options.h"
#include "replicator/relay/relay_partition.h"
#include "replicator/relay/target_questions.h"

namespace farshore::replicator {

class RelayScanBound {
 public:
  using Partitions = std::map<LinkPartition, RelayPartition>;
  // The partition cannot go on: what was written of it is in doubt.
  using Fail = std::function<void(const LinkPartition& key, uint64_t attempt, const Error& error)>;

  // References outlive it, and the gate is closed before it goes.
  RelayScanBound(Env& env, TargetQuestions& questions, RelayJournal& journal, const RelaySinkOptions& options,
                 Partitions& partitions, Gate& gate, Fail fail)
      : env_(env),
        questions_(questions),
        journal_(journal),
        options_(options),
        partitions_(partitions),
        gate_(gate),
        fail_(std::move(fail)),
        stopping_(env) {}

  void start() { spawn(gate_, "relay scan bound", run()); }
  void stop() { stopping_.set(); }

 private:
  Task<void> run();
  Task<void> look(LinkPartition key, uint64_t attempt, TopicPartition at);
  // The partition, if it is still in that attempt, has nothing on its way, and is this gateway's.
  RelayPartition* quiet(const LinkPartition& key, uint64_t attempt);

  Env& env_;
  TargetQuestions& questions_;
  RelayJournal& journal_;
  const RelaySinkOptions& options_;
  Partitions& partitions_;
  Gate& gate_;
  const Fail fail_;
  Event stopping_;
};

}  // namespace farshore::replicator
