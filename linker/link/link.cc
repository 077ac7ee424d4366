#include "linker/link/link.h"

#include <algorithm>

#include "linker/link/verbs/failover.h"
#include "linker/link/verbs/unfencing.h"

namespace farshore::linker {
namespace {

constexpr Duration kStoreLimit = seconds(10);  // of a write to the target that was just seen to answer
constexpr Duration kReportLimit = seconds(10);

}  // namespace

// events_ and sink_ keep references to members that are constructed after them; pumps, which call them, exist later
// still.
Link::Link(Env& env, Connector& connector, SlabArena& arena, LinkStore& store, std::unique_ptr<LinkTarget> target,
           StoredLink link, int64_t revision, replicator::ReplicatorOptions options)
    : env_(env),
      stopping_(env),
      definition_(env, store, std::move(link), revision),
      status_(env, name(), definition().state, definition().state_reason),
      ownership_(env, definition_, status_, [this](Deadline deadline) { return check_target(deadline); }),
      reports_(env, store, definition_),
      losses_(env, store, definition_),
      target_(std::move(target)),
      source_(env, connector, definition_.spec()),
      events_(env, topics_, fences_, losses_),
      sink_(env, target_->sink(), losses_, replicator_),
      replicator_(env, arena, source_.data(), sink_, definition().id, options, events_),
      topics_(env, replicator_, definition_),
      source_fences_(env, definition_, source_, *target_, topics_, stopping_),
      ends_(env, *target_, replicator_, topics_, source_fences_, reports_, stopping_),
      desk_(env),
      configs_(parts()),
      discovery_(parts(), configs_),
      groups_(parts(), store),
      watch_(parts(), discovery_, ownership_watch_),
      ownership_watch_(parts()),
      gate_(env),
      fences_(env, ownership_, topics_, replicator_, stopping_, gate_) {
  apply_settings();
}

Link::~Link() = default;

void Link::start() {
  spawn(gate_, "replicator", replicator_.run());
  spawn(gate_, "link discovery", discovery_.run());
  spawn(gate_, "link groups", groups_.run());
  spawn(gate_, "link watch", watch_.run());
  spawn(gate_, "link fences", source_fences_.run());
  spawn(gate_, "link undecided ends", ends_.run());
  spawn(gate_, "link ownership", ownership_watch_.run());
}

Task<void> Link::stop() {
  stopping_.set();
  discovery_.stop();
  groups_.stop();
  watch_.stop();
  source_fences_.stop();
  ends_.stop();
  ownership_watch_.stop();
  co_await replicator_.stop();
  source_.close();
  target_->close();
  co_await gate_.close();
}

LinkView Link::view() {
  std::vector<TaskReport> tasks{discovery_.report(), configs_.report(), groups_.report(), ownership_watch_.report()};
  return LinkView(parts(), std::move(tasks), watch_.bytes_per_second());
}

std::vector<std::string> Link::notes_on(const LinkSpec& spec) {
  auto notes = view().notes_on(spec);
  for (auto& note : groups_.notes_on(spec)) notes.push_back(std::move(note));
  return notes;
}

// A Kafka target cannot truncate: a relay stops where the source lost records that were relayed.
void Link::apply_settings() {
  const LinkSpec& spec = definition_.spec();
  const bool stops = spec.on_divergence == OnDivergence::kStop || spec.mode == LinkMode::kRelay;
  replicator_.set_policies(
      stops ? replicator::OnMismatch::kStop : replicator::OnMismatch::kFollow,
      spec.on_retention_gap == OnRetentionGap::kStop ? replicator::OnMismatch::kStop : replicator::OnMismatch::kFollow,
      spec.on_divergence == OnDivergence::kTruncateAll);
  if (spec.source != source_.bootstrap()) {
    source_.set_bootstrap(spec.source);
    replicator_.reconnect_to_source();
  }
}

Task<Status> Link::check_target(Deadline deadline) {
  const LinkSpec& spec = definition_.spec();
  CO_TRY(auto target, co_await identify(target_->cluster(), deadline));
  if (!spec.target_cluster_id.empty() && target.cluster_id != spec.target_cluster_id)
    co_return Error(ErrorCode::kUnavailable, "target: cluster " + target.cluster_id.value() + " answers, " +
                                                 spec.target_cluster_id.value() + " is expected");
  co_return check_incarnation("target", target.cluster_id, spec.target_incarnation, target.incarnation);
}

Task<Status> Link::target_answers(CallerPtr caller, Deadline deadline) {
  if (!caller) co_return ok();
  for (int tries = 1;; ++tries) {
    const MonoTime asked = env_.now();
    auto answers = co_await identify(target_->cluster(), deadline);
    if (!answers) co_return std::move(answers).error();
    // After a slow answer: a moment in which it is heard whether the caller has left.
    const bool prompt = env_.now() - asked <= MirrorClient::kPrompt;
    if (!prompt) (void)co_await stopping_.wait(env_.in(MirrorClient::kPrompt));
    if (gone(caller)) co_return given_up();
    if (stopping_.is_set()) co_return Error(ErrorCode::kClosed, "the gateway is stopping");
    if (prompt || tries >= MirrorClient::kSlowAnswersMax) co_return ok();
  }
}

Task<Status> Link::update(Edit edit, Deadline deadline, CallerPtr caller) {
  CO_CHECK(status_.check_ours());
  StoredLink after = definition();
  CO_CHECK(edit(after));
  VerbDesk::PlacePtr place;
  if ((after.state == LinkState::kPaused) != definition_.paused()) {
    CO_TRY(place, desk_.enter("", after.state == LinkState::kPaused ? "pause" : "resume"));
  }
  co_return co_await store(std::move(edit), deadline, std::move(caller));
}

Task<Status> Link::store(Edit edit, Deadline deadline, CallerPtr caller) {
  CO_CHECK(co_await target_answers(caller, deadline));
  if (caller) deadline = std::min(deadline, env_.in(kStoreLimit));
  auto before = co_await definition_.update(std::move(edit), deadline);
  if (!before) {
    const ErrorCode code = before.error().code;
    if (code == ErrorCode::kNotFound || code == ErrorCode::kConflict || code == ErrorCode::kFenced)
      (void)co_await ownership_.doubt(deadline);
    co_return std::move(before).error();
  }
  status_.set(definition().state, definition().state_reason);
  apply_settings();
  topics_.apply_pauses(before->state == LinkState::kPaused);
  discovery_.wake();
  groups_.wake();  // its filters, or its switch, may have changed
  co_return ok();
}

Task<Status> Link::source_has(std::string topic, Deadline deadline) {
  std::vector<std::string> names{topic};
  auto view = co_await source_.admin().client().refresh(std::move(names), deadline);
  if (!view) co_return std::move(view).error().in("source");
  const auto there = (*view)->topics.find(topic);
  if (there != (*view)->topics.end() && there->second.error_code == 0) co_return ok();
  co_return Error(ErrorCode::kNotFound, "the source has no topic '" + topic + "'");
}

// A promote at work has a fence at the source, and perhaps a request under way that ends the mirror.
Status Link::may_be_deleted() {
  FARSHORE_TRY(auto place, desk_.enter("", "delete"));
  return ok();
}

Task<Result<std::vector<std::string>>> Link::forget(Deadline deadline, CallerPtr caller) {
  CO_CHECK(status_.check_ours());
  CO_TRY(auto place, desk_.enter("", "delete"));
  CO_CHECK(co_await target_answers(std::move(caller), deadline));
  CO_TRY(auto left, co_await source_fences_.release(deadline));
  CO_CHECK(co_await definition_.forget(deadline));
  co_return left;
}

Result<MirrorTopic*> Link::topic_for_verb(const std::string& name) {
  FARSHORE_CHECK(status_.check_ours());
  return topics_.get(name);
}

Task<Result<std::vector<TopicRefused>>> Link::pause_topics(std::vector<std::string> names, bool paused,
                                                           Deadline deadline, CallerPtr caller) {
  CO_CHECK(status_.check_ours());
  TopicSwitch::Store store = [this, caller](Edit edit, Deadline until) {
    return this->store(std::move(edit), until, caller);
  };
  TopicSwitch verb(parts(), desk_, discovery_, std::move(store));
  co_return co_await verb.run(std::move(names), paused, deadline);
}

Task<Status> Link::pause_topic(std::string name, bool paused, Deadline deadline, CallerPtr caller) {
  std::vector<std::string> one;
  one.push_back(std::move(name));
  CO_TRY(auto refused, co_await pause_topics(std::move(one), paused, deadline, std::move(caller)));
  if (!refused.empty()) co_return std::move(refused.front().why);
  co_return ok();
}

Task<Status> Link::give_up(std::string name, int32_t partition, SourceOffset to, Deadline deadline) {
  CO_TRY(MirrorTopic * topic, topic_for_verb(name));
  CO_TRY(auto place, desk_.enter(name, "resume"));
  if (topic->state() != MirrorState::kFailed)
    co_return Error(ErrorCode::kInvalidArgument,
                    "mirror topic " + name + " is " + topic->state_and_reason() +
                        ": source offsets are given up (--go-on-at) only of a topic that is FAILED");
  co_return co_await target_->give_up(topic->as_target_topic(), partition, to, topic->reason(), deadline);
}

Task<std::vector<Result<size_t>>> Link::unfence(std::vector<std::string> names, Deadline deadline, CallerPtr caller) {
  Unfencing verb(parts(), desk_);
  co_return co_await verb.run(std::move(names), std::move(caller), deadline);
}

Task<Status> Link::failover(std::string topic, bool dry_run, Progress progress, Deadline deadline, CallerPtr caller) {
  CO_TRY(MirrorTopic * mirror, topic_for_verb(topic));
  TopicVerb::Call call;
  call.progress = std::move(progress);
  call.caller = std::move(caller);
  if (!dry_run) {
    CO_TRY(call.place, desk_.enter_for_failover(topic));
  }
  Failover verb(parts(), *mirror, std::move(call));
  if (dry_run) co_return co_await verb.dry_run(deadline);
  auto done = co_await verb.run(deadline);
  co_return co_await ended(std::move(done), *mirror);
}

Task<Status> Link::promote(std::string topic, bool dry_run, PromotionOptions options, Progress progress,
                           Deadline deadline, CallerPtr caller) {
  CO_TRY(MirrorTopic * mirror, topic_for_verb(topic));
  TopicVerb::Call call;
  call.progress = std::move(progress);
  call.caller = std::move(caller);
  if (!dry_run) {
    CO_TRY(call.place, desk_.enter(topic, "promote"));
  }
  Promotion verb(parts(), *mirror, options, groups_, discovery_, std::move(call));
  if (dry_run) co_return co_await verb.dry_run(deadline);
  auto done = co_await verb.run(deadline);
  co_return co_await ended(std::move(done), *mirror);
}

Task<Status> Link::ended(Status verb, MirrorTopic& topic) {
  if (verb && topic.promotion()) co_await reports_.store(topic.name(), *topic.promotion(), env_.in(kReportLimit));
  if (reports_.some_are_missing()) discovery_.wake();  // it tries again until they are stored
  co_return verb;
}

Task<Status> Link::verify(std::string topic, Verification::Report report, SilentEnds& ends, Deadline deadline) {
  CO_TRY(const MirrorTopic* mirror, topic_for_verb(topic));
  Verification verification(parts(), *mirror, std::move(report), ends);
  co_return co_await verification.run(deadline);
}

std::optional<SourceOffset> Link::mirrored_end(const MirrorTopic& topic, int32_t partition) const {
  if (topic.promotion()) {
    for (const auto& p : topic.promotion()->partitions)
      if (p.partition == partition) return p.failover_offset;
    return std::nullopt;
  }
  if (partition < 0 || static_cast<size_t>(partition) >= topic.pumps().size()) return std::nullopt;
  auto progress = replicator_.progress(topic.pumps()[static_cast<size_t>(partition)]);
  if (!progress) return std::nullopt;
  return progress->pump.target_high_watermark;
}

Task<Result<api::TranslateOffsetReply>> Link::translate(api::TranslateOffsetRequest request) {
  CO_TRY(const MirrorTopic* topic, topics_.get(request.topic()));
  const auto end = mirrored_end(*topic, request.partition());
  if (!end || *end < SourceOffset(0))
    co_return Error(ErrorCode::kNotFound,
                    "topic " + request.topic() + " has no partition " + std::to_string(request.partition()));
  co_return co_await target_->translate(topic->as_target_topic(), std::move(request), *end);
}

}  // namespace farshore::linker
