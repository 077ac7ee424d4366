// Promotion: a planned end of a mirror topic that loses nothing. Steps:
//
//   fence-source      clients of a Farshore source write no more (Kafka cannot: its operator stops the producers)
//   read-source-ends  where each partition of the source ends
//   check-partitions  every partition of the source is mirrored
//   drain             everything below these ends is at the target (drain.h)
//   sync-groups       committed offsets follow; groups that cannot be reached are named, and hold up nothing
//   end-mirror        the target ends the mirror; the topic there becomes writable
//
// Giving up lifts the fence (source_fences.h), except where the mirror may have ended, or was failed over meanwhile:
// two sides that both take writes are worse than none. The topic is PENDING_STOPPED meanwhile. Executor: the Env's.
#pragma once

#include <map>

#include "linker/link/tasks/group_sync.h"
#include "linker/link/tasks/topic_discovery.h"
#include "linker/link/verbs/topic_verb.h"

namespace farshore::linker {

struct PromotionOptions {
  bool source_quiesced = false;      // an Apache Kafka source: its producers are stopped
  bool allow_source_writes = false;  // do not fence the source; records may be stranded there
  PromotionOptions() {}
};

class Promotion final : public TopicVerb {
 public:
  // `groups` and `discovery` are the link's.
  Promotion(LinkParts link, MirrorTopic& topic, PromotionOptions options, GroupSync& groups, TopicDiscovery& discovery,
            Call call);
  const char* name() const override { return "promote"; }

 private:
  Task<Result<Readiness>> check(Deadline deadline) override;
  Task<Status> plan(Deadline deadline) override;
  void begin() override;
  std::vector<Step> steps() override;
  Task<Status> give_up(Error why) override;

  Task<Status> fence_source(Deadline deadline);
  Task<Status> read_source_ends(Deadline deadline);
  // kUnavailable: not yet, for a gateway that has just started or a topic that has just grown; discovery looks again at
  // once. It leaves a topic alone that is being promoted, so the promotion cannot wait for it.
  Status check_partitions();
  Task<Status> check_partitions_step();
  Task<Status> drain(Deadline deadline);
  Task<Status> sync_groups(Deadline deadline);
  Task<Status> end_mirror(Deadline deadline);
  // Records that the source has got behind the ends that were drained. They stay there, so they are reported.
  Task<void> note_stranded_records(PromotionRecord& record, Deadline deadline);
  // Whether the target has ended this mirror, although its answer to this gateway was lost; if so, takes its record.
  Task<Result<bool>> find_end(Deadline deadline);
  // The same when the promote is given up: waits until the target can no more carry out what it was asked.
  Task<Result<bool>> find_out_whether_ended();
  // `ended`: an error if that is not known. Says in words how the two sides are left.
  Task<std::string> undo(Result<bool> ended);
  bool fences() const { return link_.source.farshore() && !options_.allow_source_writes; }

  const PromotionOptions options_;
  GroupSync& groups_;
  TopicDiscovery& discovery_;
  std::map<int32_t, int64_t> source_ends_;  // by partition
  std::string groups_left_;                 // which groups were not carried over; empty: all were
  bool fence_asked_ = false;
  bool end_asked_ = false;    // the target was asked to end the mirror
  bool end_refused_ = false;  // and has answered that it did not
};

}  // namespace farshore::linker
