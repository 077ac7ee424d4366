#include "linker/link_creation.h"

#include <algorithm>

namespace farshore::linker {
namespace {

constexpr Duration kQuestionLimit = seconds(10);
constexpr const char* kNoTopics = "no topic of the source is selected now; later ones will be, when they appear";

}  // namespace

LinkCreation::LinkCreation(Env& env, Connector& connector, const GatewayOptions& options, ClusterAdmin& own_target,
                           LinkRegistry& links, UnconfirmedLinks& unconfirmed, LinkSpec spec)
    : env_(env),
      options_(options),
      own_target_(own_target),
      links_(links),
      unconfirmed_(unconfirmed),
      source_(env, connector, "source", spec.source, spec.source_cluster_id.value()),
      source_mirrors_(source_.client()) {
  link_.spec = std::move(spec);
}

Deadline LinkCreation::soon(Deadline deadline) const { return std::min(deadline, env_.in(kQuestionLimit)); }

Task<Result<api::CreateLinkReply>> LinkCreation::run(bool dry_run, Deadline deadline) {
  CO_TRY(auto link, co_await make(dry_run, deadline));
  if (link) co_await first_round(*link, deadline);
  co_return std::move(reply_);
}

// With the lock, which is not held while topics are made: that may take long, and a gateway that is fenced needs it.
Task<Result<LinkRegistry::LinkPtr>> LinkCreation::make(bool dry_run, Deadline deadline) {
  auto guard = co_await links_.lock(deadline);
  if (!guard) co_return guard.error().in("another link is being made or deleted: try again");
  co_await links_.remove_deleted();
  CO_CHECK(co_await unconfirmed_.adopt(soon(deadline)));
  CO_CHECK(check_room());
  CO_CHECK(co_await examine(deadline));
  if (dry_run) {
    CO_CHECK(co_await plan(deadline));
    reply_.add_plan("keep consumer group offsets " + std::string(link_.spec.group_sync ? "in step" : "apart"));
  }
  source_.close();
  target_->close();
  if (dry_run) co_return LinkRegistry::LinkPtr();
  CO_TRY(const int64_t revision, co_await store(deadline));
  co_return links_.add(link_, revision);
}

Status LinkCreation::check_room() const {
  if (links_.has(link_.spec.name))
    return Error(ErrorCode::kAlreadyExists, "there is a link '" + link_.spec.name + "' already");
  if (auto bad = links_.unreadable().find(link_.spec.name); bad != links_.unreadable().end()) return bad->second.why;
  const size_t links = links_.all().size();
  if (links < options_.links_max) return ok();
  return Error(ErrorCode::kResourceExhausted, "this gateway has " + std::to_string(links) + " links, its limit");
}

Task<Status> LinkCreation::examine(Deadline deadline) {
  CO_TRY(auto source, co_await identify(source_, soon(deadline)));
  source_is_farshore_ = source.farshore;
  StoredLink stored = link_;
  stored.spec.source_cluster_id = source.cluster_id;
  stored.spec.source_incarnation = source.incarnation;
  stored.id = LinkId(env_.random().uuid());
  stored.epoch = kFirstLinkEpoch;
  stored.created_ms = env_.wall_now().milliseconds_since_epoch;
  stored.writer = env_.random().uuid().to_string();
  CO_TRY(target_, links_.backend()->make_target(stored));
  CO_TRY(auto target, co_await identify(target_->cluster(), soon(deadline)));
  CO_TRY(auto own, co_await identify(own_target_, soon(deadline)));
  CO_CHECK(check_clusters(source, target, own));
  CO_CHECK(co_await refuse_equal_salts(source_, target_->cluster(), soon(deadline)));
  stored.spec.target_cluster_id = target.cluster_id;
  stored.spec.target_incarnation = target.incarnation;
  link_ = std::move(stored);
  co_return ok();
}

Status LinkCreation::check_clusters(const ClusterIdentity& source, const ClusterIdentity& target,
                                    const ClusterIdentity& own) const {
  if (source.cluster_id == target.cluster_id)
    return Error(ErrorCode::kInvalidArgument, "source and target are the same cluster (" + source.cluster_id.value() +
                                                  "): a link joins two clusters");
  if (target.cluster_id != own.cluster_id)
    return Error(ErrorCode::kInvalidArgument, "the target is cluster " + target.cluster_id.value() +
                                                  ", but this gateway keeps its links at " + own.cluster_id.value() +
                                                  ": run a gateway with --target of that cluster");
  return target_->fits(target);
}

Task<Status> LinkCreation::plan(Deadline deadline) {
  CO_TRY(auto topics, co_await source_.topics(deadline));
  std::erase_if(topics,
                [&](const TopicInfo& topic) { return topic.internal || !selected(link_.spec.topics, topic.name); });
  std::vector<std::string> names;
  for (const auto& topic : topics) names.push_back(topic.name);
  CO_TRY(auto configs, co_await source_.topic_configs(std::move(names), deadline));
  std::vector<WantedTopic> checks;
  for (const auto& topic : topics) {
    WantedTopic& check = checks.emplace_back();
    check.topic = target_topic_name(link_.spec, topic.name);
    check.source = topic;
    for (const auto& [key, value] : configs[topic.name])
      if (follows(link_.spec, key)) check.configs[key] = value;
    check.dry_run = true;
  }
  const LinkSource source{source_, source_mirrors_, source_is_farshore_};
  auto possible = co_await target_->make_all(std::move(checks), source, deadline);
  for (size_t i = 0; i < topics.size(); ++i) plan_topic(topics[i], possible[i]);
  if (topics.empty()) reply_.add_warnings(kNoTopics);
  co_return ok();
}

void LinkCreation::add_mirror(const std::string& source_topic, int32_t partitions, const std::string& topic) {
  reply_.add_plan(std::string(name(link_.spec.mode)) + " " + source_topic + " (" + std::to_string(partitions) +
                  " partitions) as " + topic);
}

void LinkCreation::add_left_out(const std::string& source_topic, const std::string& why) {
  reply_.add_plan("leave out " + source_topic);
  reply_.add_warnings("topic " + source_topic + " is left out: " + why);
}

void LinkCreation::plan_topic(const TopicInfo& topic, const Result<TargetTopic>& possible) {
  if (possible && !possible->left_out.empty()) return add_left_out(topic.name, possible->left_out);
  add_mirror(topic.name, topic.partitions, target_topic_name(link_.spec, topic.name));
  if (!possible) reply_.add_warnings(possible.error().detail);
  if (possible)
    for (const std::string& drift : possible->drift) reply_.add_warnings(topic.name + ": " + drift);
}

Task<Result<int64_t>> LinkCreation::store(Deadline deadline) {
  const std::string& name = link_.spec.name;
  // The entries of a deleted link of this name list the garbage it left; the new link would overwrite them.
  CO_CHECK(co_await links_.backend()->collect_garbage(name, deadline));
  StoredEntry entry;
  entry.key = link_key(name);
  entry.value = encode(link_);
  auto revision = co_await links_.backend()->store().replace(std::move(entry), deadline);
  if (revision) co_return *revision;
  Error error = std::move(revision).error();
  if (error == ErrorCode::kConflict) {
    CO_CHECK(co_await unconfirmed_.adopt(soon(deadline)));
    co_return Error(ErrorCode::kAlreadyExists,
                    "there is a link '" + name + "' already" + (links_.has(name) ? "" : ", made by another gateway"));
  }
  if (!error_retriable(error.code)) co_return error;
  unconfirmed_.add(link_.id);
  co_return std::move(error).in(
      "the target did not answer, so it is not known whether the link was stored: see `farshore link list`; if it is "
      "not there in a minute, create it again");
}

// The link is stored and runs, whatever comes of this round: its topics follow, also after the caller has gone.
Task<void> LinkCreation::first_round(Link& link, Deadline deadline) {
  auto first = co_await link.first_round(deadline);
  const bool going_on = !first && deadline.passed(env_.now());
  if (going_on)
    reply_.add_warnings("topics are still being made: `farshore status --link " + link.name() + "` shows them");
  bool told = false;  // why the round failed, as the reason of a topic
  for (const auto& [topic_name, topic] : link.topics().all()) {
    if (topic->left_out()) {
      add_left_out(topic->source_topic(), topic->reason());
      continue;
    }
    const bool made = !topic->pumps().empty() || topic->promotion();
    if (made) add_mirror(topic->source_topic(), static_cast<int32_t>(topic->pumps().size()), topic_name);
    told = told || (!first && topic->reason() == first.error().to_string());
    if (topic->state() == MirrorState::kFailed)
      reply_.add_warnings("mirror topic " + topic_name + " is FAILED: " + topic->reason());
    else if (!made && !going_on)
      reply_.add_warnings("mirror topic " + topic_name + " is not made yet: " + topic->reason());
    for (const std::string& drift : topic->drift()) reply_.add_warnings(topic_name + ": " + drift);
  }
  if (!first && !going_on && !told)
    reply_.add_warnings("the first round of discovery failed: " + first.error().to_string());
  if (first && link.topics().all().empty()) reply_.add_warnings(kNoTopics);
  *reply_.mutable_link() = link.view().describe();
}

}  // namespace farshore::linker
