#include "linker/gateway.h"

#include <algorithm>
#include <set>

#include "linker/link_creation.h"
#include "linker/link_deletion.h"
#include "linker/link_request.h"
#include "linker/orphan_failover.h"
#include "linker/printable.h"
#include "proto/link/link_properties.h"

namespace farshore::linker {
namespace {

constexpr std::string_view kVersion = "0.1.0";
constexpr size_t kTopicsAtOnce = 64;    // of one verb
constexpr size_t kRefusedNamedMax = 5;  // topics in one error
constexpr Duration kSourceQuestionLimit = seconds(10);

// The last message about a topic whose verb failed.
template <class Message>
Message failed(const std::string& topic, const Error& error) {
  Message message;
  message.set_topic(topic);
  message.set_done(true);
  message.set_error(error.to_string());
  return message;
}

// The error of a verb on several topics that was refused for some of them; ok: for none.
Status all_done(const std::string& verb, size_t topics, std::vector<TopicRefused> refused) {
  if (refused.empty()) return ok();
  const Error& first = refused.front().why;
  if (topics == 1) return first;
  std::string text = verb + ": " + std::to_string(topics - refused.size()) + " of " + std::to_string(topics) +
                     " topics done; the others are as they were: ";
  const size_t named = std::min(refused.size(), kRefusedNamedMax);
  for (size_t i = 0; i < named; ++i)
    text += (i == 0 ? "" : "; ") + refused[i].topic + ": " + refused[i].why.to_string();
  if (refused.size() > named) text += "; and " + std::to_string(refused.size() - named) + " more";
  return Error(first.code, std::move(text));
}

}  // namespace

Gateway::Gateway(Env& env, Connector& connector, GatewayOptions options)
    : env_(env),
      connector_(connector),
      options_(std::move(options)),
      target_(env, connector, "target", options_.target, options_.target_cluster_id.value()),
      links_(env, connector, options_.replicator),
      unconfirmed_(env, links_),
      takeover_(env, connector, options_, target_, links_, unconfirmed_),
      started_(env.now()),
      metrics_(std::make_shared<LinkMetrics>(env.metrics())),
      stopping_(env) {
  env.metrics().on_collect([this, alive = std::weak_ptr<LinkMetrics>(metrics_)] {
    if (!alive.expired()) show_metrics();
  });
}

Gateway::~Gateway() = default;

void Gateway::show_metrics() {
  MetricRegistry& registry = env_.metrics();
  const auto& links = links_.all();
  registry.gauge("farshore_gateway_ready", "1 when the stored links have been taken over.").set(ready() ? 1 : 0);
  registry.gauge("farshore_gateway_links", "Links of this gateway.").set(static_cast<double>(links.size()));
  if (const LinkBackend* backend = links_.backend()) backend->show_metrics(registry);
  std::vector<LinkReading> readings;
  readings.reserve(links.size());
  for (const auto& entry : links) readings.push_back(entry.second->view().read(options_.metrics_topics_max));
  metrics_->show(readings);
}

Task<void> Gateway::stop() {
  stopping_.set();
  takeover_.request_stop();
  target_.close();
  co_await links_.stop();
  co_await takeover_.end();
  links_.clear();
}

Task<Result<api::CreateLinkReply>> Gateway::create_link(api::CreateLinkRequest request, Deadline deadline) {
  CO_TRY(LinkSpec spec, spec_of(request.spec(), options_.target));
  if (!ready())
    co_return Error(ErrorCode::kUnavailable, "the gateway has not taken its links over yet: " + not_ready_reason() +
                                                 "; it tries again by itself");
  LinkCreation creation(env_, connector_, options_, target_, links_, unconfirmed_, std::move(spec));
  co_return co_await creation.run(request.dry_run(), deadline);
}

Task<Result<api::ListLinksReply>> Gateway::list_links() {
  CO_CHECK(links_.check_ready());
  api::ListLinksReply reply;
  for (const auto& entry : links_.all()) *reply.add_links() = entry.second->view().describe();
  for (const auto& [name, bad] : links_.unreadable()) *reply.add_links() = bad.shown(name);
  co_return reply;
}

Task<Result<api::Link>> Gateway::describe_link(std::string name) {
  CO_TRY(auto link, links_.find(name));
  co_return link->view().describe();
}

Task<Result<api::Link>> Gateway::update_link(api::UpdateLinkRequest request, Deadline deadline, CallerPtr caller) {
  CO_TRY(auto link, links_.find(request.link()));
  Link::Edit edit = [&request](StoredLink& stored) -> Status {
    for (const auto& [key, value] : request.set()) FARSHORE_CHECK(set_property(stored.spec, key, value));
    return ok();
  };
  StoredLink check = link->definition();
  CO_CHECK(edit(check));
  if (!request.dry_run()) CO_CHECK(co_await link->update(std::move(edit), deadline, std::move(caller)));
  // After a write: as it is now. Another update may have been stored at the same time.
  const LinkSpec shown = request.dry_run() ? check.spec : link->definition().spec;
  api::Link reply = link->view().describe_as(shown);
  for (auto& note : link->notes_on(shown)) reply.add_notes(std::move(note));
  co_return reply;
}

Task<Result<api::Link>> Gateway::pause_link(std::string name, bool paused, Deadline deadline, CallerPtr caller) {
  CO_TRY(auto link, links_.find(name));
  Link::Edit edit = [paused](StoredLink& stored) -> Status {
    stored.state = paused ? LinkState::kPaused : LinkState::kActive;
    stored.state_reason = paused ? "paused by its operator" : "";
    return ok();
  };
  CO_CHECK(co_await link->update(std::move(edit), deadline, std::move(caller)));
  co_return link->view().describe();
}

Task<Result<api::DeleteLinkReply>> Gateway::delete_link(api::DeleteLinkRequest request, Deadline deadline,
                                                        CallerPtr caller) {
  if (links_.unreadable().count(request.link()) != 0)
    co_return co_await delete_unreadable(links_, std::move(request), deadline);
  CO_TRY(auto link, links_.find(request.link()));
  LinkDeletion deletion(links_, link);
  co_return co_await deletion.run(request.dry_run(), request.force(), deadline, std::move(caller));
}

Task<Result<api::MirrorTopic>> Gateway::create_mirror(api::CreateMirrorRequest request, Deadline deadline,
                                                      CallerPtr caller) {
  CO_TRY(auto link, links_.find(request.link()));
  const std::string name = target_topic_name(link->definition().spec, request.source_topic());
  if (!request.topic().empty() && request.topic() != name)
    co_return Error(ErrorCode::kInvalidArgument,
                    "the link's prefix makes the name '" + name + "': a mirror topic is named by its link");
  Link::Edit edit = [&request](StoredLink& stored) -> Status {
    Filter filter;
    filter.name = request.source_topic();
    if (!selected(stored.spec.topics, filter.name)) stored.spec.topics.push_back(filter);
    if (!selected(stored.spec.topics, filter.name))
      return Error(ErrorCode::kInvalidArgument, "an exclude filter of the link names '" + filter.name + "'");
    return ok();
  };
  StoredLink check = link->definition();
  CO_CHECK(edit(check));
  auto there = co_await link->source_has(request.source_topic(), std::min(deadline, env_.in(kSourceQuestionLimit)));
  if (!there)
    co_return Error(there.error().code, there.error().detail +
                                            "; nothing was changed (`farshore link update --set topics=...` also takes "
                                            "topics that do not exist yet)");
  api::MirrorTopic out;
  if (request.dry_run()) co_return out;
  CO_CHECK(co_await link->update(std::move(edit), deadline, caller));
  while (!link->topics().find(name)) {
    auto waited = co_await stopping_.wait(std::min(deadline, env_.in(milliseconds(50))));
    if (waited || deadline.passed(env_.now()))
      co_return Error(ErrorCode::kTimedOut,
                      "the link takes topic '" + request.source_topic() + "' now, and has not begun to mirror it yet");
  }
  if (auto mirror = link->view().describe_topic(name)) out = *mirror;
  co_return out;
}

Task<Result<api::ListMirrorsReply>> Gateway::list_mirrors(api::ListMirrorsRequest request) {
  if (!request.state().empty() && request.state() != kLeftOutName && !parse_mirror_state(request.state()))
    co_return Error(ErrorCode::kInvalidArgument, "no mirror topic state is called '" + request.state() + "'");
  if (!request.link().empty()) CO_CHECK(links_.find(request.link()));
  api::ListMirrorsReply reply;
  for (const auto& [name, link] : links_.all()) {
    if (!request.link().empty() && name != request.link()) continue;
    for (auto& mirror : link->view().describe_topics())
      if (request.state().empty() || mirror.state() == request.state()) *reply.add_mirrors() = std::move(mirror);
  }
  co_return reply;
}

Task<Result<api::MirrorTopic>> Gateway::describe_mirror(api::MirrorRef request) {
  CO_TRY(auto link, links_.find(request.link()));
  auto mirror = link->view().describe_topic(request.topic());
  if (!mirror)
    co_return Error(ErrorCode::kNotFound, "link " + request.link() + " has no mirror topic " + request.topic());
  co_return *mirror;
}

Result<std::vector<std::string>> Gateway::topics_of(const Link& link,
                                                    const google::protobuf::RepeatedPtrField<std::string>& named,
                                                    bool all) {
  std::vector<std::string> topics;
  std::set<std::string> seen;
  for (const auto& topic : named)
    if (seen.insert(topic).second) topics.push_back(topic);
  if (all) topics = link.topics().names();
  if (topics.empty() && all && !link.topics().all().empty())
    return Error(ErrorCode::kInvalidArgument,
                 "every mirror topic of link " + link.name() +
                     " is LEFT_OUT: nothing is mirrored (`farshore mirror list` says why)");
  if (topics.empty()) return Error(ErrorCode::kInvalidArgument, "no mirror topic is named, and the link has none");
  for (const auto& topic : topics) FARSHORE_CHECK(link.topics().get(topic));
  return topics;
}

Task<Result<api::MirrorsReply>> Gateway::pause_mirrors(api::MirrorsRequest request, bool paused, Deadline deadline,
                                                       CallerPtr caller) {
  CO_TRY(auto link, links_.find(request.link()));
  CO_TRY(auto topics, topics_of(*link, request.topics(), request.all()));
  if (request.go_on_at_size() > 0 && (paused || topics.size() != 1))
    co_return Error(ErrorCode::kInvalidArgument, "--go-on-at is for one topic that is resumed: name it alone");
  api::MirrorsReply reply;
  for (const api::GoOnAt& each : request.go_on_at()) {
    const SourceOffset to(each.source_offset());
    reply.add_plan("give up what is not known to be at the target before source offset " + std::to_string(to.value()) +
                   " of partition " + std::to_string(each.partition()));
    if (!request.dry_run()) CO_CHECK(co_await link->give_up(topics.front(), each.partition(), to, deadline));
  }
  // All that can be: an ended mirror among them has nothing to pause, and keeps nobody from the others.
  if (request.all())
    std::erase_if(topics,
                  [&](const std::string& topic) { return link->topics().find(topic)->promotion().has_value(); });
  if (topics.empty()) reply.add_plan("do nothing: every mirror of link " + request.link() + " has ended");
  for (const auto& topic : topics) reply.add_plan((paused ? "pause " : "resume ") + topic);
  if (request.dry_run() || topics.empty()) co_return reply;
  CO_TRY(auto refused, co_await link->pause_topics(topics, paused, deadline, caller));
  CO_CHECK(all_done(paused ? "pause" : "resume", topics.size(), std::move(refused)));
  for (const auto& topic : topics)
    if (auto mirror = link->view().describe_topic(topic)) *reply.add_mirrors() = std::move(*mirror);
  co_return reply;
}

Task<Result<api::MirrorsReply>> Gateway::unfence_mirrors(api::MirrorsRequest request, Deadline deadline,
                                                         CallerPtr caller) {
  CO_TRY(auto link, links_.find(request.link()));
  CO_TRY(auto topics, topics_of(*link, request.topics(), request.all()));
  api::MirrorsReply reply;
  std::vector<TopicRefused> refused;
  if (request.dry_run()) {
    for (const auto& topic : topics)
      reply.add_plan("let clients of the source write to the topic of mirror " + topic + " again");
  } else {
    const auto lifted = co_await link->unfence(topics, deadline, std::move(caller));
    for (size_t i = 0; i < topics.size(); ++i)
      if (lifted[i])
        reply.add_plan(topics[i] + ": " +
                       (*lifted[i] == 0 ? "no fence at the source" : "clients of the source can write again"));
      else
        refused.push_back({topics[i], lifted[i].error()});
  }
  CO_CHECK(all_done("unfence", topics.size(), std::move(refused)));
  for (const auto& topic : topics)
    if (auto mirror = link->view().describe_topic(topic)) *reply.add_mirrors() = std::move(*mirror);
  co_return reply;
}

Task<void> Gateway::run_one(OneTopic one, std::string topic, TopicVerb::Progress progress, Deadline deadline,
                            Notifier& ended) {
  auto done = co_await one(topic, deadline);
  if (!done) progress(failed<api::VerbProgress>(topic, done.error()));
  ended.notify();
}

Task<void> Gateway::side_by_side(std::vector<std::string> topics, OneTopic one, TopicVerb::Progress progress,
                                 Deadline deadline, CallerPtr caller) {
  const MonoTime begun = env_.now();
  Gate running(env_);
  Notifier ended(env_);
  for (const auto& topic : topics) {
    while (running.count() >= kTopicsAtOnce) (void)co_await ended.wait(Deadline::never());
    const Deadline own = deadline.is_never() ? deadline : env_.in(deadline.at() - begun);
    if (gone(caller))
      progress(failed<api::VerbProgress>(topic, given_up()));
    else
      spawn(running, "verb", run_one(one, topic, progress, own, ended));
  }
  co_await running.close();
}

Task<Status> Gateway::failover(api::FailoverRequest request, TopicVerb::Progress progress, Deadline deadline,
                               CallerPtr caller) {
  if (request.link().empty())
    co_return co_await failover_of_orphans(std::move(request), std::move(progress), deadline, std::move(caller));
  CO_TRY(auto link, links_.find(request.link()));
  CO_TRY(auto topics, topics_of(*link, request.topics(), request.all()));
  CO_CHECK(co_await link->hear_target(deadline));
  OneTopic one = [link, dry_run = request.dry_run(), progress, caller](std::string topic, Deadline own) {
    return link->failover(std::move(topic), dry_run, progress, own, caller);
  };
  co_await side_by_side(std::move(topics), std::move(one), progress, deadline, caller);
  co_return ok();
}

Task<Status> Gateway::failover_of_orphans(api::FailoverRequest request, TopicVerb::Progress progress, Deadline deadline,
                                          CallerPtr caller) {
  CO_CHECK(co_await SilentEnds::ask(env_, target_, deadline));
  OrphanFailover orphans(env_, target_, links_);
  CO_CHECK(co_await orphans.load(deadline));
  std::vector<std::string> topics(request.topics().begin(), request.topics().end());
  if (request.all()) {
    CO_TRY(topics, co_await orphans.find(deadline));
  }
  if (topics.empty()) co_return Error(ErrorCode::kInvalidArgument, "no topic is named");
  OneTopic one = [&orphans, dry_run = request.dry_run(), progress, caller](std::string topic, Deadline own) {
    return orphans.run(std::move(topic), dry_run, progress, caller, own);
  };
  co_await side_by_side(std::move(topics), std::move(one), progress, deadline, caller);
  co_return ok();
}

Task<Status> Gateway::promote(api::PromoteRequest request, TopicVerb::Progress progress, Deadline deadline,
                              CallerPtr caller) {
  CO_TRY(auto link, links_.find(request.link()));
  CO_TRY(auto topics, topics_of(*link, request.topics(), request.all()));
  if (request.dry_run()) CO_CHECK(co_await link->hear_source(deadline));
  PromotionOptions options;
  options.source_quiesced = request.source_quiesced();
  options.allow_source_writes = request.allow_source_writes();
  OneTopic one = [link, dry_run = request.dry_run(), options, progress, caller](std::string topic, Deadline own) {
    return link->promote(std::move(topic), dry_run, options, progress, own, caller);
  };
  co_await side_by_side(std::move(topics), std::move(one), progress, deadline, caller);
  co_return ok();
}

Task<Status> Gateway::verify(api::VerifyRequest request, Verification::Report report, Deadline deadline,
                             CallerPtr caller) {
  CO_TRY(auto link, links_.find(request.link()));
  CO_TRY(auto topics, topics_of(*link, request.topics(), request.all()));
  SilentEnds ends;
  for (const auto& topic : topics) {
    if (gone(caller)) co_return given_up();
    auto done = co_await link->verify(topic, report, ends, deadline);
    if (!done) {
      auto message = failed<api::VerifyProgress>(topic, done.error());
      message.set_partition(-1);  // it is about the topic as a whole
      message.set_from_offset(-1);
      message.set_to_offset(-1);
      message.set_first_difference(-1);
      report(std::move(message));
    }
  }
  co_return ok();
}

Task<Result<api::TranslateOffsetReply>> Gateway::translate(api::TranslateOffsetRequest request) {
  CO_TRY(auto link, links_.find(request.link()));
  co_return co_await link->translate(std::move(request));
}

Task<Result<api::ListGroupSyncReply>> Gateway::group_sync(api::ListGroupSyncRequest request) {
  CO_TRY(auto link, links_.find(request.link()));
  const api::ListGroupSyncReply all = link->group_sync();
  api::ListGroupSyncReply reply;
  for (const auto& group : all.groups())
    if (request.group().empty() || group.group() == request.group() || printable(group.group()) == request.group())
      *reply.add_groups() = group;
  co_return reply;
}

Result<api::StatusReply> Gateway::status(const api::StatusRequest& request) const {
  api::StatusReply reply;
  if (ready() && !request.link().empty() && links_.unreadable().count(request.link()) == 0)
    FARSHORE_CHECK(links_.find(request.link()));
  reply.set_gateway_version(std::string(kVersion));
  reply.set_uptime_ms(std::chrono::duration_cast<milliseconds>(env_.now() - started_).count());
  reply.set_not_ready_reason(not_ready_reason());
  for (const auto& [name, bad] : links_.unreadable())
    if (request.link().empty() || name == request.link()) *reply.add_links() = bad.shown(name);
  for (const auto& [name, link] : links_.all()) {
    if (!request.link().empty() && name != request.link()) continue;
    if (!request.link().empty() && request.discover()) link->discover();
    const LinkView view = link->view();
    *reply.add_links() = view.describe();
    for (auto& mirror : view.describe_topics()) *reply.add_mirrors() = std::move(mirror);
  }
  return reply;
}

}  // namespace farshore::linker
