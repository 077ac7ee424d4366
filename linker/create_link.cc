// `link create`: what is asked of both ends before a link is stored, and what would happen.
#include <algorithm>

#include "linker/gateway.h"
#include "proto/link/link_properties.h"

namespace farshore::linker {
namespace {

constexpr Duration kLoadLimit = seconds(10), kFirstRoundLimit = seconds(15);
constexpr Duration kUnsureFor = minutes(5);  // a write on its way may still arrive
constexpr LinkEpoch kFirstEpoch{1};

Filter filter_of(const api::Filter& from) {
  Filter filter;
  filter.name = from.name();
  filter.pattern = from.pattern() == api::Filter::PREFIXED ? PatternType::kPrefixed : PatternType::kLiteral;
  filter.type = from.kind() == api::Filter::EXCLUDE ? FilterType::kExclude : FilterType::kInclude;
  return filter;
}

}  // namespace

Result<LinkSpec> spec_of(const api::LinkSpec& from, const std::vector<Endpoint>& default_target) {
  LinkSpec spec;
  spec.name = from.name();
  FARSHORE_TRY(spec.source, parse_bootstrap(from.source().bootstrap()));
  spec.target = default_target;
  if (!from.target().bootstrap().empty()) {
    FARSHORE_TRY(spec.target, parse_bootstrap(from.target().bootstrap()));
  }
  spec.source_cluster_id = ClusterId(from.source().cluster_id());
  spec.target_cluster_id = ClusterId(from.target().cluster_id());
  if (from.mode() == "relay") spec.mode = LinkMode::kRelay;
  if (!from.mode().empty() && from.mode() != "mirror" && from.mode() != "relay")
    return Error(ErrorCode::kInvalidArgument, "mode is mirror or relay, not '" + from.mode() + "'");
  for (const auto& filter : from.topics()) spec.topics.push_back(filter_of(filter));
  if (from.groups_size() > 0) spec.groups.clear();
  for (const auto& filter : from.groups()) spec.groups.push_back(filter_of(filter));
  spec.topic_prefix = from.topic_prefix();
  spec.group_sync = from.group_sync();
  if (from.on_divergence() == "stop" || spec.mode == LinkMode::kRelay) spec.on_divergence = OnDivergence::kStop;
  for (const auto& [key, value] : from.extra()) FARSHORE_CHECK(set_property(spec, key, value));
  FARSHORE_CHECK(validate(spec));
  return spec;
}

Task<Status> Gateway::plan(const LinkSpec& spec, LinkTarget& target, LinkSource source, api::CreateLinkReply& reply,
                           Deadline deadline) {
  CO_TRY(auto topics, co_await source.cluster.topics(deadline));
  std::vector<std::string> names;
  std::erase_if(topics, [&](const TopicInfo& topic) { return topic.internal || !selected(spec.topics, topic.name); });
  for (const auto& topic : topics) names.push_back(topic.name);
  CO_TRY(auto configs, co_await source.cluster.topic_configs(std::move(names), deadline));
  for (const auto& topic : topics) {
    reply.add_plan(std::string(name(spec.mode)) + " " + topic.name + " (" + std::to_string(topic.partitions) +
                   " partitions) as " + target_topic_name(spec, topic.name));
    WantedTopic check;
    check.topic = target_topic_name(spec, topic.name);
    check.source = topic;
    for (const auto& [key, value] : configs[topic.name])
      if (follows(spec, key)) check.configs[key] = value;
    check.dry_run = true;
    auto possible = co_await target.make(std::move(check), source, deadline);
    if (!possible) reply.add_warnings(possible.error().detail);
    if (possible)
      for (const std::string& drift : possible->drift) reply.add_warnings(topic.name + ": " + drift);
  }
  co_return ok();
}

Task<Status> Gateway::adopt_unsure(Deadline deadline) {
  std::erase_if(unsure_, [now = env_.now()](const auto& each) { return each.second < now; });
  if (unsure_.empty()) co_return ok();
  CO_TRY(auto found, co_await home_->store().list(std::string(kLinkKeyPrefix), deadline));
  for (const StoredEntry& entry : found) {
    if (parse_link_key(entry.key).kind != LinkKey::Kind::kLink) continue;
    auto link = decode_stored_link(entry.value);
    if (!link || unsure_.count(link->id) == 0 || links_.count(link->spec.name) > 0) continue;
    if (link->epoch != kFirstEpoch) continue;  // another gateway has taken it over
    CO_TRY(auto controller, make_controller(*link, entry.revision));
    unsure_.erase(link->id);
    controller->start();
    env_.log().info("a link is stored whose creation was not confirmed", {{"link", link->spec.name}});
    links_[link->spec.name] = controller;
  }
  co_return ok();
}

Task<Result<api::CreateLinkReply>> Gateway::create_link(api::CreateLinkRequest request, Deadline deadline) {
  CO_TRY(LinkSpec spec, spec_of(request.spec(), options_.target));
  if (!loaded_) co_return Error(ErrorCode::kUnavailable, "the gateway has no hold of its links: " + load_error_);
  auto guard = co_await changing_.lock();
  CO_CHECK(co_await adopt_unsure(std::min(deadline, env_.in(kLoadLimit))));
  if (links_.count(spec.name))
    co_return Error(ErrorCode::kAlreadyExists, "there is a link '" + spec.name + "' already");
  if (links_.size() >= options_.links_max)
    co_return Error(ErrorCode::kResourceExhausted,
                    "this gateway has " + std::to_string(links_.size()) + " links, its limit");

  // Both ends are asked before anything is stored.
  auto source = std::make_unique<ClusterAdmin>(env_, connector_, "source", spec.source, spec.source_cluster_id.value());
  auto source_identity = co_await identify(*source, std::min(deadline, env_.in(kLoadLimit)));
  if (!source_identity) co_return source_identity.error();
  StoredLink stored;
  stored.spec = spec;
  stored.spec.source_cluster_id = source_identity->cluster_id;
  stored.spec.source_incarnation = source_identity->incarnation;
  stored.id = LinkId(env_.random().uuid());
  stored.epoch = kFirstEpoch;
  stored.created_ms = env_.wall_now().milliseconds_since_epoch;
  CO_TRY(auto target, home_->make_target(stored));
  auto target_identity = co_await identify(target->cluster(), std::min(deadline, env_.in(kLoadLimit)));
  if (!target_identity) co_return target_identity.error();
  CO_TRY(auto own, co_await identify(target_, std::min(deadline, env_.in(kLoadLimit))));
  if (source_identity->cluster_id == target_identity->cluster_id)
    co_return Error(ErrorCode::kInvalidArgument, "source and target are the same cluster (" +
                                                     source_identity->cluster_id.value() +
                                                     "): a link joins two clusters");
  if (target_identity->cluster_id != own.cluster_id)
    co_return Error(ErrorCode::kInvalidArgument, "the target is cluster " + target_identity->cluster_id.value() +
                                                     ", but this gateway keeps its links at " + own.cluster_id.value() +
                                                     ": run a gateway with --target of that cluster");
  CO_CHECK(target->fits(*target_identity));
  CO_CHECK(co_await refuse_equal_salts(*source, target->cluster(), std::min(deadline, env_.in(kLoadLimit))));
  stored.spec.target_cluster_id = target_identity->cluster_id;
  stored.spec.target_incarnation = target_identity->incarnation;
  api::CreateLinkReply reply;
  MirrorClient source_mirrors(source->client());
  const LinkSource from{*source, source_mirrors, source_identity->farshore};
  CO_CHECK(co_await plan(spec, *target, from, reply, deadline));
  if (reply.plan_size() == 0)
    reply.add_warnings("no topic of the source is selected now; later ones will be, when they appear");
  source->close();
  target->close();
  if (request.dry_run()) {
    reply.add_plan("keep consumer group offsets " + std::string(spec.group_sync ? "in step" : "apart"));
    co_return reply;
  }
  // A deleted link of the same name: its entries are the list of what is still to be forgotten, and would be
  // overwritten.
  CO_CHECK(co_await home_->forget_deleted(spec.name, deadline));
  StoredEntry entry;
  entry.key = link_key(spec.name);
  entry.value = encode(stored);
  auto revision = co_await home_->store().replace(std::move(entry), deadline);
  if (!revision) {
    Error error = std::move(revision).error();
    if (error == ErrorCode::kConflict) {
      CO_CHECK(co_await adopt_unsure(std::min(deadline, env_.in(kLoadLimit))));
      co_return Error(ErrorCode::kAlreadyExists, "there is a link '" + spec.name + "' already" +
                                                     (links_.count(spec.name) ? "" : ", made by another gateway"));
    }
    if (!error_retriable(error.code)) co_return error;
    unsure_[stored.id] = env_.now() + kUnsureFor;
    co_return std::move(error).in("whether the link was stored is not known: it appears by itself if so, or ask again");
  }
  CO_TRY(auto controller, make_controller(stored, *revision));
  controller->start();
  links_[spec.name] = controller;
  auto first = co_await controller->first_round(std::min(deadline, env_.in(kFirstRoundLimit)));
  if (!first) reply.add_warnings("the first round of discovery failed: " + first.error().to_string());
  *reply.mutable_link() = controller->describe();
  co_return reply;
}

}  // namespace farshore::linker
