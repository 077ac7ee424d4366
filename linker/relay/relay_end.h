// RelayEnd: ends one relayed topic (promotion or failover). The pumps are paused and every partition is taken over once
// more, so that the target refuses requests that are still on their way: the end is exact, in offsets of both sides. A
// partition that cannot be taken over any more (its relay is FAILED) ends where the translation ends, with a note.
//
// A failover waits for no partition: one that is offline at the target, or whose part of the log of record is, stays
// open (EndState::kOffline) after some seconds, with a note, and the others end. RelayOpenEnds ends it when it is back.
// A promotion needs all of them.
// Executor: the Env's. Owner: the call.
#pragma once

#include <map>

#include "base/gate.h"
#include "linker/relay/journal.h"
#include "linker/relay/relay_topic_store.h"
#include "linker/target/link_target.h"
#include "replicator/relay/relay_sink.h"

namespace farshore::linker {

class RelayEnd {
 public:
  struct Relay {  // the link's parts that it works with; all outlive the end
    Env& env;
    ClusterAdmin& target;
    replicator::RelaySink& sink;
    KafkaRelayJournal& journal;
    RelayTopicStore& topics;
    LinkId link;
  };
  RelayEnd(Relay relay, EndOfTopic request, replicator::Replicator& pumps)
      : relay_(relay), request_(std::move(request)), pumps_(pumps) {}

  // Stores the record. With `request.dry_run`: nothing is paused, taken over or stored. kConflict: the ends to be
  // reached are not. kFenced: another gateway has the link.
  Task<Result<PromotionRecord>> run(Deadline deadline);

 private:
  Task<void> end_partitions(RelayTopic topic, Deadline deadline);  // all of them: into ended_
  Task<void> end_next(RelayTopic topic, Deadline deadline);        // one after the other, until none is left
  Task<Result<PromotionRecord::PartitionEnd>> end_partition(LinkPartition key, bool may_take_over, Deadline deadline);
  Status wanted() const;  // kClosed: not any more
  bool may_stay_open(const Error& why) const;
  PromotionRecord::PartitionEnd open_end(const LinkPartition& key, const Error& why) const;
  Task<void> look_for_leaders();  // asks the target, at most once a second
  bool has_leader(int32_t partition) const;
  // One try, or an error at once if the target says that there is no leader and this is a failover.
  Task<Result<replicator::TargetState>> take_over_once(LinkPartition key);
  int64_t end_to_reach(int32_t partition) const;  // a failover has none: the smallest number
  // By the journal's claims; target offset -1: nothing was relayed.
  Task<Result<PromotionRecord::PartitionEnd>> claimed_end(LinkPartition key, Deadline deadline);
  Task<Status> take_over(LinkPartition key, PromotionRecord::PartitionEnd& out, Deadline deadline);
  // A topic that never caught up keeps everything until now.
  Task<void> restore_retention(RelayTopic topic, Deadline deadline);

  const Relay relay_;
  const EndOfTopic request_;
  replicator::Replicator& pumps_;
  MonoTime looked_{};
  int32_t next_ = 0;  // the first partition that no end_next() has begun
  std::map<int32_t, Result<PromotionRecord::PartitionEnd>> ended_;
};

}  // namespace farshore::linker
