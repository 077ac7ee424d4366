// TopicDiscovery: finds the topics of the source that the link selects, has the target make or grow them, and starts
// their pumps. Each round:
//
//   adopt     what an earlier gateway made at the target; asks the target alone, so that a gateway which starts after
//             the source was lost can still fail over
//   gone      topics that were deleted at the target become FAILED
//   clusters  both ends must still be the clusters that the link was made with
//   topics    new ones are made, grown ones get more pumps; what the target can never have is LEFT_OUT. Many at a
//             time: over a long way, topic by topic would cost a round trip each
//   configs   ConfigSync
//   cleanup   TranslationCleanup
//
// A paused link only adopts, and stores the reports that are not stored yet. Executor: the Env's. Owner: Link.
#pragma once

#include <set>

#include "linker/link/tasks/config_sync.h"
#include "linker/link/tasks/periodic_task.h"
#include "linker/link/tasks/report_cleanup.h"
#include "linker/link/tasks/translation_cleanup.h"

namespace farshore::linker {

class TopicDiscovery final : public PeriodicTask {
 public:
  // `configs` outlives it.
  TopicDiscovery(LinkParts link, ConfigSync& configs)
      : PeriodicTask(link, "topic-discovery"), configs_(configs), cleanup_(link), report_cleanup_(link) {}

 private:
  bool due() const override { return !link_.status.fenced() && (link_.definition.active() || owes_target()); }
  Duration interval() const override;
  // A link whose clusters are not those that it was made with becomes FAILED, until they are.
  Task<Status> round(Deadline deadline) override;
  void clusters_are_right();

  Task<Status> discover(Deadline deadline);
  Task<Status> adopt(Deadline deadline);
  // What needs the target alone: also of a link that is paused, and before the source is asked.
  bool owes_target() const { return must_adopt() || reports_are_missing(); }
  Task<Status> settle_with_target(Deadline deadline);
  bool must_adopt() const;  // not adopted yet, or a mirror that has ended has open ends
  bool reports_are_missing() const { return link_.reports.some_are_missing() || link_.losses.some_are_missing(); }
  Task<Status> store_reports(Deadline deadline);
  // Selected by the filters; or mirrored although they do not select it any more: then it grows, and gets configs, all
  // the same.
  bool follows_topic(const std::string& source_topic) const;
  Task<Status> fail_gone_topics(Deadline deadline);
  Task<Status> check_clusters(Deadline deadline);
  Task<Result<std::vector<TopicInfo>>> selected_topics(Deadline deadline);
  void leave_out_what_is_gone(const std::set<std::string>& selected_at_source);
  bool is_to_be_made(const MirrorTopic& topic, const TopicInfo& info) const;
  // `info`, `configs`: of the source.
  WantedTopic wanted(const MirrorTopic& topic, TopicInfo info, const ConfigSync::Configs& configs) const;
  // Has the target make and grow topics, many at a time. Takes as long as it gets on.
  Task<Status> take_topics(std::vector<TopicInfo> topics, const ConfigSync::TopicConfigs& configs);
  Status take_made(MirrorTopic& topic, const TopicInfo& info, Result<TargetTopic> made);

  ConfigSync& configs_;
  TranslationCleanup cleanup_;
  ReportCleanup report_cleanup_;
  struct LeftOut {
    SourceTopicId source_id;
    MonoTime ask_again;
  };
  std::map<std::string, LeftOut> left_out_;  // by the topic's name at the target
  std::string failed_because_;               // this task has made the link FAILED; empty: it has not
  bool adopted_ = false;
  bool salts_checked_ = false;  // the two ends give different producer ids
};

}  // namespace farshore::linker
