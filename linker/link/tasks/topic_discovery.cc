#include "linker/link/tasks/topic_discovery.h"

#include <algorithm>
#include <set>

namespace farshore::linker {
namespace {

constexpr Duration kTargetLookLimit = seconds(5);
constexpr size_t kTopicsTakenAtOnce = MirrorClient::kTopicsPerRequest;
constexpr Duration kTakeLimit = seconds(20);    // of so many topics; as long as some are made, the round goes on
constexpr Duration kReportPause = seconds(5);   // until a report that could not be stored is tried again
constexpr Duration kLeftOutPause = minutes(1);  // until the target is asked again about a topic that is LEFT_OUT

}  // namespace

Task<Status> TopicDiscovery::round(Deadline deadline) {
  if (!link_.definition.active()) co_return co_await settle_with_target(deadline);
  auto found = co_await discover(deadline);
  if (!found && found.error() == ErrorCode::kFenced) (void)co_await link_.ownership.check(deadline);
  if (!found && found.error() == ErrorCode::kConflict) {
    failed_because_ = found.error().to_string();
    link_.status.set(LinkState::kFailed, failed_because_);  // changes nothing if it is fenced
  }
  co_return found;
}

Duration TopicDiscovery::interval() const {
  const Duration wanted = milliseconds(link_.definition.spec().topic_sync_interval_ms);
  return reports_are_missing() ? std::min(wanted, kReportPause) : wanted;
}

Task<Status> TopicDiscovery::settle_with_target(Deadline deadline) {
  if (must_adopt()) CO_CHECK(co_await adopt(deadline));
  if (reports_are_missing()) CO_CHECK(co_await store_reports(deadline));
  co_return ok();
}

Task<Status> TopicDiscovery::discover(Deadline deadline) {
  if (must_adopt()) CO_CHECK(co_await adopt(deadline));
  // Before the source is asked: it has no part in this. A target that is silent leaves time for the source.
  auto all_there = co_await fail_gone_topics(std::min(deadline, link_.env.in(kTargetLookLimit)));
  if (reports_are_missing()) {  // the source may never answer again
    auto stored = co_await store_reports(deadline);
    if (all_there) all_there = std::move(stored);
  }
  CO_CHECK(co_await check_clusters(deadline));
  clusters_are_right();
  CO_TRY(auto topics, co_await selected_topics(deadline));
  std::vector<std::string> names;
  for (const auto& topic : topics) names.push_back(topic.name);
  link_.topics.forget_unselected();
  link_.topics.remark_selection();
  leave_out_what_is_gone({names.begin(), names.end()});
  CO_TRY(auto configs, co_await configs_.source_configs(std::move(names), deadline));
  Status result = co_await take_topics(std::move(topics), configs);
  if (!result && result.error() == ErrorCode::kFenced) co_return result;
  deadline = link_.env.in(kTakeLimit);  // making many topics may have taken long
  CO_CHECK(co_await link_.ownership.check(deadline));
  co_await configs_.sync(std::move(configs), deadline);
  CO_CHECK(co_await link_.losses.store_missing(deadline));
  auto cleaned = co_await cleanup_.run(deadline);
  if (!cleaned && result) result = std::move(cleaned);
  cleaned = co_await report_cleanup_.run(deadline);
  if (!cleaned && result) result = cleaned.error().in("reports about topics that are gone");
  if (!all_there && result) result = std::move(all_there);
  co_return result;
}

Task<Status> TopicDiscovery::store_reports(Deadline deadline) {
  CO_CHECK(co_await link_.ownership.check(deadline));
  auto ends = co_await link_.reports.store_missing(deadline);
  auto losses = co_await link_.losses.store_missing(deadline);
  co_return ends ? losses : ends;
}

// What made the link FAILED (another cluster at an address, for example) is over: it goes on by itself.
void TopicDiscovery::clusters_are_right() {
  if (failed_because_.empty()) return;
  const bool still_so = link_.status.state() == LinkState::kFailed && link_.status.reason() == failed_because_;
  failed_because_.clear();
  if (still_so) link_.status.set(LinkState::kActive, "");
}

Task<Status> TopicDiscovery::adopt(Deadline deadline) {
  CO_TRY(auto found, co_await link_.target.adopt(deadline));
  CO_CHECK(co_await link_.reports.load(deadline));
  CO_CHECK(co_await link_.losses.load(deadline));
  for (auto& there : found) {
    if (there.promotion) link_.reports.complete(there.topic, *there.promotion);
    if (MirrorTopic* known = link_.topics.find(there.topic)) {
      if (there.promotion) known->complete_ends(*there.promotion);
      continue;
    }
    MirrorTopic& topic = link_.topics.add(there.topic, there.source_topic);
    topic.identify(there.id, there.source_id);
    if (there.promotion)
      topic.end(*there.promotion);
    else
      link_.topics.start(topic, there.partitions);
  }
  adopted_ = true;
  co_return ok();
}

bool TopicDiscovery::must_adopt() const {
  const auto& topics = link_.topics.all();
  return !adopted_ ||
         std::any_of(topics.begin(), topics.end(), [](const auto& entry) { return entry.second->has_open_ends(); });
}

// A topic that was deleted at the target while the link runs has lost all that was mirrored into it. Whether it is to
// be made again is its operator's decision: it becomes FAILED, also if it was paused, and `resume` makes it again.
Task<Status> TopicDiscovery::fail_gone_topics(Deadline deadline) {
  CO_TRY(auto gone, co_await link_.target.gone(deadline));
  Status result;
  std::set<std::string> forgotten;
  for (const auto& [name, why] : gone) {
    MirrorTopic* topic = link_.topics.find(name);
    // Ended, and deleted since: the link has nothing to do with that topic any more, as after a restart. If its filters
    // select the source's topic, it is made again: that is how a mirror is had again after a failover.
    if (topic && topic->state() == MirrorState::kStopped && link_.topics.forget(name)) forgotten.insert(name);
    if (topic && topic->ending()) continue;
    if (topic) topic->fail_gone_and_stop(why);
    result = Error(ErrorCode::kNotFound, why);
  }
  // Before the topic is made again: what is known of the old one is not about the new one.
  auto dropped = co_await link_.reports.forget(forgotten, deadline);
  if (dropped) dropped = co_await link_.losses.forget(forgotten, deadline);
  if (!dropped && result) result = std::move(dropped);
  co_return result;
}

Task<Status> TopicDiscovery::check_clusters(Deadline deadline) {
  const LinkSpec& spec = link_.definition.spec();
  CO_TRY(auto source, co_await identify(link_.source.admin(), deadline));
  link_.status.source_answered(link_.env.now());
  CO_TRY(auto target, co_await identify(link_.target.cluster(), deadline));
  CO_CHECK(check_incarnation("source", source.cluster_id, spec.source_incarnation, source.incarnation));
  CO_CHECK(check_incarnation("target", target.cluster_id, spec.target_incarnation, target.incarnation));
  if (source.cluster_id == target.cluster_id)
    co_return Error(ErrorCode::kConflict,
                    "source and target are the same cluster (" + source.cluster_id.value() + "): a link joins two");
  if (auto fits = link_.target.fits(target); !fits) co_return Error(ErrorCode::kConflict, fits.error().detail);
  if (!salts_checked_) CO_CHECK(co_await refuse_equal_salts(link_.source.admin(), link_.target.cluster(), deadline));
  salts_checked_ = true;
  link_.source.set_farshore(source.farshore);
  link_.definition.learn_cluster_ids(source.cluster_id, target.cluster_id);
  co_return ok();
}

Task<Result<std::vector<TopicInfo>>> TopicDiscovery::selected_topics(Deadline deadline) {
  CO_TRY(auto topics, co_await link_.source.admin().topics(deadline));
  link_.status.source_answered(link_.env.now());
  std::erase_if(topics, [&](const TopicInfo& topic) { return topic.internal || !follows_topic(topic.name); });
  co_return topics;
}

// A topic that was never made, and that the source does not offer any more: nobody waits for it.
void TopicDiscovery::leave_out_what_is_gone(const std::set<std::string>& selected_at_source) {
  for (const auto& [name, topic] : link_.topics.all()) {
    const bool never_made = topic->state() == MirrorState::kPending || topic->left_out();
    if (!never_made || selected_at_source.contains(topic->source_topic())) continue;
    topic->leave_out("the source does not have the topic any more, or the link's filters do not select it");
    left_out_.erase(name);
  }
}

bool TopicDiscovery::follows_topic(const std::string& source_topic) const {
  const LinkSpec& spec = link_.definition.spec();
  if (selected(spec.topics, source_topic)) return true;
  const MirrorTopic* topic = link_.topics.find(target_topic_name(spec, source_topic));
  return topic && topic->source_topic() == source_topic && !topic->pumps().empty() && !topic->ending();
}

bool TopicDiscovery::is_to_be_made(const MirrorTopic& topic, const TopicInfo& info) const {
  const bool same = topic.source_id() == SourceTopicId(info.id);
  if (topic.ending()) return false;
  if (topic.state() == MirrorState::kFailed && same) return false;  // until it is resumed
  if (!topic.pumps().empty() && same && topic.pumps().size() >= static_cast<size_t>(info.partitions)) return false;
  auto asked = left_out_.find(topic.name());
  return !topic.left_out() || asked == left_out_.end() || asked->second.source_id != SourceTopicId(info.id) ||
         link_.env.now() >= asked->second.ask_again;
}

WantedTopic TopicDiscovery::wanted(const MirrorTopic& topic, TopicInfo info, const ConfigSync::Configs& configs) const {
  WantedTopic wanted;
  wanted.topic = topic.name();
  wanted.start_over = topic.pumps().empty() || topic.source_id() != SourceTopicId(info.id);
  wanted.source = std::move(info);
  for (const auto& [key, value] : configs)
    if (follows(link_.definition.spec(), key)) wanted.configs[key] = value;
  return wanted;
}

// So many at a time that those which are made begin to be copied, and that what is made is kept if the rest fails.
Task<Status> TopicDiscovery::take_topics(std::vector<TopicInfo> topics, const ConfigSync::TopicConfigs& configs) {
  std::vector<std::pair<MirrorTopic*, TopicInfo>> to_be_made;
  for (auto& info : topics) {
    MirrorTopic& topic = link_.topics.add(target_topic_name(link_.definition.spec(), info.name), info.name);
    if (is_to_be_made(topic, info)) to_be_made.emplace_back(&topic, std::move(info));
  }
  Status result;
  for (size_t from = 0; from < to_be_made.size() && !link_.stopping.is_set(); from += kTopicsTakenAtOnce) {
    const size_t to = std::min(to_be_made.size(), from + kTopicsTakenAtOnce);
    std::vector<WantedTopic> wanted;
    const ConfigSync::Configs none;
    for (size_t i = from; i < to; ++i) {
      const auto& [topic, info] = to_be_made[i];
      auto of_topic = configs.find(info.name);
      wanted.push_back(this->wanted(*topic, info, of_topic == configs.end() ? none : of_topic->second));
    }
    const Deadline deadline = link_.env.in(kTakeLimit);
    CO_CHECK(co_await link_.ownership.check(deadline));
    auto made = co_await link_.target.make_all(std::move(wanted), link_.source.as_source(), deadline);
    bool some_made = false;
    for (size_t i = from; i < to; ++i) {
      auto taken = take_made(*to_be_made[i].first, to_be_made[i].second, std::move(made[i - from]));
      if (!taken && taken.error() == ErrorCode::kFenced) co_return taken;
      some_made = some_made || taken || !error_retriable(taken.error().code);
      if (!taken) result = std::move(taken);
    }
    if (!some_made) break;  // an end does not answer: in the next round
  }
  co_return result;
}

Status TopicDiscovery::take_made(MirrorTopic& topic, const TopicInfo& info, Result<TargetTopic> made) {
  if (topic.ending()) return ok();  // promoted or failed over meanwhile: the answer comes too late
  if (!made) {
    topic.wait_because(made.error().to_string());
    // kFenced: LinkOwnership decides about all topics.
    const bool refused = !error_retriable(made.error().code) && made.error() != ErrorCode::kFenced;
    if (refused && topic.state() != MirrorState::kFailed) topic.fail_and_stop(made.error().to_string());
    return std::move(made).error();
  }
  if (!made->left_out.empty()) {
    left_out_[topic.name()] = {SourceTopicId(info.id), link_.env.now() + kLeftOutPause};
    if (topic.pumps().empty())
      topic.leave_out(made->left_out);
    else
      topic.fail_and_stop(made->left_out);
    return ok();
  }
  topic.identify(made->id, made->source_id);
  topic.set_drift(std::move(made->drift));
  if (made->promotion)
    topic.end(*made->promotion);
  else
    link_.topics.start(topic, info.partitions);
  return ok();
}

}  // namespace farshore::linker
