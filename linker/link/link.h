// Link: one running link. Owns the link's definition, its clients of both clusters, the replicator, the mirror topics
// and the tasks, and runs the operator's verbs. What differs between mirror and relay mode is in its LinkTarget.
// All durable state is at the target: a Link can be killed at any time, and another one with a higher link epoch
// continues.
//
//   LinkDefinition  the operator's settings    LinkStatus    state and reason
//   SourceCluster   clients of the source      LinkTarget    the target
//   MirrorTopics    one MirrorTopic each       Replicator    pumps, one per partition; reports to PumpEvents
//   tasks           TopicDiscovery (with ConfigSync), GroupSync, SourceWatch, OwnershipWatch
//   settings        the definition's, read where they are used, or given to what runs by apply_settings()
//   verbs           Promotion, Failover, Verification: made for one call
//
// Executor: the Env's. Owner: LinkRegistry.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/gate.h"
#include "linker/link/link_view.h"
#include "linker/link/model/loss_sink.h"
#include "linker/link/model/pump_events.h"
#include "linker/link/tasks/group_sync.h"
#include "linker/link/tasks/ownership_watch.h"
#include "linker/link/tasks/source_watch.h"
#include "linker/link/tasks/topic_discovery.h"
#include "linker/link/verbs/promotion.h"
#include "linker/link/verbs/topic_switch.h"
#include "linker/link/verbs/verification.h"

namespace farshore::linker {

class Link final {
 public:
  using Edit = LinkDefinition::Edit;
  using Progress = TopicVerb::Progress;

  // `link` is stored with `revision`. Connections are made through `connector`; all references outlive the link.
  Link(Env& env, Connector& connector, SlabArena& arena, LinkStore& store, std::unique_ptr<LinkTarget> target,
       StoredLink link, int64_t revision, replicator::ReplicatorOptions options);
  ~Link();

  void start();
  Task<void> stop();  // ends all tasks and connections; durable state stays
  // Waits for the first round of discovery and returns its error, so that a link that cannot work is reported at once.
  Task<Status> first_round(Deadline deadline) { return discovery_.first_round(deadline); }
  void discover() { discovery_.wake(); }  // a round of discovery begins now, or when the one under way has ended

  const StoredLink& definition() const { return definition_.link(); }
  const std::string& name() const { return definition_.spec().name; }
  const MirrorTopics& topics() const { return topics_; }
  bool is_deleted() const { return status_.is_deleted(); }  // by another gateway
  LinkView view();
  api::ListGroupSyncReply group_sync() const { return groups_.shown(); }
  // What it means for mirror topics and groups if the link is defined so.
  std::vector<std::string> notes_on(const LinkSpec& spec);

  // A caller of the methods below who has left before the target answered gets nothing done. Where a caller can be
  // given, kClosed says that he has left.

  // Changes the stored definition and applies it, to what runs, too. Errors: LinkDefinition::update. kConflict: it
  // would pause a link on which a verb is at work.
  Task<Status> update(Edit edit, Deadline deadline, CallerPtr caller = nullptr);
  // kNotFound: the source has no such topic now.
  Task<Status> source_has(std::string topic, Deadline deadline);
  // kConflict: a verb is at work.
  Status may_be_deleted();
  // Lifts the link's fences at the source, and deletes the stored definition. Returns what stays behind, in words.
  // kConflict: a verb is at work.
  Task<Result<std::vector<std::string>>> forget(Deadline deadline, CallerPtr caller = nullptr);
  // Pauses or resumes all of them that can be, with one change of the definition; returns the others. An error: nothing
  // was changed.
  Task<Result<std::vector<TopicRefused>>> pause_topics(std::vector<std::string> topics, bool paused, Deadline deadline,
                                                       CallerPtr caller = nullptr);
  Task<Status> pause_topic(std::string topic, bool paused, Deadline deadline, CallerPtr caller = nullptr);
  // LinkTarget::give_up; the topic must be FAILED, and is to be resumed then.
  Task<Status> give_up(std::string topic, int32_t partition, SourceOffset to, Deadline deadline);
  // Lets clients of the source write to the topics again, whichever link has fenced them. How many fences there were,
  // in the order of `topics`; kConflict: a promote is at work on the topic.
  Task<std::vector<Result<size_t>>> unfence(std::vector<std::string> topics, Deadline deadline,
                                            CallerPtr caller = nullptr);

  // Asked once, before a verb on many topics: SilentEnds::ask.
  Task<Status> hear_source(Deadline deadline) { return SilentEnds::ask(env_, source_.admin(), deadline); }
  Task<Status> hear_target(Deadline deadline) { return SilentEnds::ask(env_, target_->cluster(), deadline); }

  // Errors of all four: kFenced: another gateway has the link. kNotFound for a topic that is no mirror topic of this
  // link, kConflict if another verb is at work on it (verb_desk.h), else those of the verb.
  Task<Status> failover(std::string topic, bool dry_run, Progress progress, Deadline deadline,
                        CallerPtr caller = nullptr);
  Task<Status> promote(std::string topic, bool dry_run, PromotionOptions options, Progress progress, Deadline deadline,
                       CallerPtr caller = nullptr);
  // `ends` is shared by the topics of one call: an end that is silent is not asked again for each of them.
  Task<Status> verify(std::string topic, Verification::Report report, SilentEnds& ends, Deadline deadline);
  // kNotFound also for an unknown partition; kOutOfRange: the offset is not at the other end.
  Task<Result<api::TranslateOffsetReply>> translate(api::TranslateOffsetRequest request);

 private:
  LinkParts parts() {
    return {env_,     definition_, status_, ownership_,     reports_, losses_,  source_,
            *target_, replicator_, topics_, source_fences_, ends_,    stopping_};
  }
  // ok when the target answers now and the caller is still there: what is sent next is not carried out later.
  Task<Status> target_answers(CallerPtr caller, Deadline deadline);
  Task<Status> store(Edit edit, Deadline deadline, CallerPtr caller);
  // The report of a topic that a verb has ended goes to the target.
  Task<Status> ended(Status verb, MirrorTopic& topic);
  // Whether the target that answers is the one that the link was made with.
  Task<Status> check_target(Deadline deadline);
  // Gives the definition's settings to the parts that keep copies of them. Called at the start and after each change.
  void apply_settings();
  Result<MirrorTopic*> topic_for_verb(const std::string& name);
  // The source offset up to which the partition is at the target.
  std::optional<SourceOffset> mirrored_end(const MirrorTopic& topic, int32_t partition) const;

  Env& env_;
  Event stopping_;
  LinkDefinition definition_;
  LinkStatus status_;
  LinkOwnership ownership_;
  EndReports reports_;
  LossReports losses_;
  std::unique_ptr<LinkTarget> target_;
  SourceCluster source_;
  PumpEvents events_;
  LossSink sink_;
  replicator::Replicator replicator_;
  MirrorTopics topics_;
  SourceFences source_fences_;
  UndecidedEnds ends_;
  VerbDesk desk_;
  ConfigSync configs_;
  TopicDiscovery discovery_;
  GroupSync groups_;
  SourceWatch watch_;
  OwnershipWatch ownership_watch_;
  Gate gate_;
  FenceRecovery fences_;
};

}  // namespace farshore::linker
