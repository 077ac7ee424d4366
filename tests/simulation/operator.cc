#include "tests/simulation/operator.h"

#include <vector>

#include "tests/simulation/source_user.h"

namespace farshore::simulation {
namespace {

constexpr std::string_view kLost = "another gateway has taken this link over";
constexpr Duration kTimeEnough = seconds(20);
constexpr Duration kGrace = seconds(60);  // after a deadline, until the answer must be there

// More of an entry: it is drawn more often.
constexpr const char* kVerbs[] = {"create",        "create",  "pause",        "resume",  "resume",
                                  "update",        "promote", "promote",      "promote", "failover",
                                  "verify",        "mirror",  "list",         "status",  "pause-topics",
                                  "resume-topics", "delete",  "force-delete", "unfence"};

linker::api::CreateLinkRequest link_request() {
  linker::api::CreateLinkRequest request;
  auto& spec = *request.mutable_spec();
  spec.set_name(kLink);
  spec.mutable_source()->set_bootstrap("east-1:9092");
  spec.mutable_target()->set_bootstrap("west-1:9092");
  spec.set_mode("mirror");
  spec.add_topics()->set_name("*");
  spec.add_groups()->set_name("*");
  spec.set_group_sync(true);
  spec.set_topic_sync_interval_ms(1000);
  spec.set_on_divergence("truncate-all");
  return request;
}

linker::api::MirrorsRequest all_mirrors() {
  linker::api::MirrorsRequest request;
  request.set_link(kLink);
  request.set_all(true);
  return request;
}

template <class Value>
Status status_of(const Result<Value>& result) {
  return result ? ok() : Status(result.error());
}

}  // namespace

std::string Operator::draw() { return kVerbs[random_.below(std::size(kVerbs))]; }

GatewayNode* Operator::owner() {
  GatewayNode* found = nullptr;
  bool fenced = true;  // what was found so far has lost the link
  seen_.clear();
  for (GatewayNode& node : clusters_.gateways()) {
    if (!node.up() || node.env->paused()) continue;
    bool owns = false;
    (void)clusters_.world().run(*node.env, see_owner(*node.gateway, owns, seen_), kGrace);
    const bool lost = seen_.ends_with(kLost);
    if (owns || !found || (fenced && !lost)) {
      found = &node;
      fenced = lost;
    }
    if (owns) break;
    seen_ += std::string(" (of ") + node.host + ")";
  }
  return found;
}

Task<void> Operator::see_owner(linker::Gateway& gateway, bool& owns, std::string& seen) {
  auto links = co_await gateway.list_links();
  if (!links) seen += " links: " + links.error().to_string();
  if (!links) co_return;
  for (const auto& link : links->links()) {
    if (link.spec().name() != kLink) continue;
    owns = link.state() != "FAILED";
    if (link.state_reason() == kLost) owns = false;
    seen += " link " + link.state() + " " + link.state_reason();
  }
}

void Operator::ask_something() {
  if (busy_ && !asked_->dead()) return;
  std::string verb = draw();
  std::string topic = kLifecycleTopics[random_.below(std::size(kLifecycleTopics))];
  const Duration limit = milliseconds(random_.chance(0.4) ? random_.between(1, 600) : random_.between(1000, 20'000));
  ask_one(std::move(verb), std::move(topic), limit);
}

void Operator::ask_for(std::string verb, std::string topic) {
  if (busy_ && !asked_->dead()) return;
  ask_one(std::move(verb), std::move(topic), kTimeEnough);
}

void Operator::ask_one(std::string verb, std::string topic, Duration limit) {
  std::vector<GatewayNode*> up;
  for (GatewayNode& node : clusters_.gateways())
    if (node.up() && !node.env->paused()) up.push_back(&node);
  busy_ = false;
  if (up.empty()) return;
  GatewayNode* node = up[random_.below(up.size())];
  busy_ = true;
  asked_ = node->env;
  verb_ = verb;
  until_ = clusters_.world().now() + limit;
  clusters_.say(std::string(node->host) + " is asked to " + verb + " " + topic + " within " +
                std::to_string(limit / milliseconds(1)) + " ms");
  clusters_.world().spawn(*node->env, ask(*node->gateway, std::move(verb), std::move(topic), node->env->in(limit)));
}

Task<void> Operator::ask(linker::Gateway& gateway, std::string verb, std::string topic, Deadline deadline) {
  const std::string words = verb + " " + topic;
  answer_ = co_await call(gateway, std::move(verb), std::move(topic), deadline);
  clusters_.say("the answer to " + words + ": " + (answer_ ? std::string("done") : answer_.error().to_string()));
  busy_ = false;
  ++answers_;
}

std::string Operator::overdue() const {
  if (idle() || asked_->paused() || clusters_.world().now() < until_ + kGrace) return "";
  return verb_ + " has no answer a minute after its deadline";
}

Status Operator::insist(const std::string& verb, const std::string& topic, Duration limit) {
  GatewayNode* node = owner();
  if (!node) return Error(ErrorCode::kUnavailable, "no gateway lives");
  answer_ = Error(ErrorCode::kTimedOut, "no answer");
  busy_ = true;
  asked_ = node->env;
  if (!clusters_.world().run(*node->env, ask(*node->gateway, verb, topic, node->env->in(limit)), limit + kGrace)) {
    busy_ = false;
    return Error(ErrorCode::kTimedOut, verb + " has no answer a minute after its deadline");
  }
  return answer_;
}

Task<Status> Operator::call(linker::Gateway& gateway, std::string verb, std::string topic, Deadline deadline) {
  linker::TopicVerb::Progress progress = [](linker::api::VerbProgress) {};
  if (verb == "create") {
    linker::api::CreateLinkRequest request = link_request();
    co_return status_of(co_await gateway.create_link(std::move(request), deadline));
  }
  if (verb == "pause") co_return status_of(co_await gateway.pause_link(kLink, true, deadline));
  if (verb == "resume") co_return status_of(co_await gateway.pause_link(kLink, false, deadline));
  if (verb == "list") co_return status_of(co_await gateway.list_links());
  if (verb == "status") {
    linker::api::StatusRequest request;
    request.set_partitions(true);
    (void)gateway.status(request);
    co_return ok();
  }
  if (verb == "pause-topics") {
    auto request = all_mirrors();
    co_return status_of(co_await gateway.pause_mirrors(std::move(request), true, deadline));
  }
  if (verb == "resume-topics") {
    auto request = all_mirrors();
    co_return status_of(co_await gateway.pause_mirrors(std::move(request), false, deadline));
  }
  if (verb == "update") {
    linker::api::UpdateLinkRequest request;
    request.set_link(kLink);
    (*request.mutable_set())["topic.sync.interval.ms"] = "1500";
    co_return status_of(co_await gateway.update_link(std::move(request), deadline));
  }
  if (verb == "mirror") {
    linker::api::CreateMirrorRequest request;
    request.set_link(kLink);
    request.set_source_topic(topic);
    co_return status_of(co_await gateway.create_mirror(std::move(request), deadline));
  }
  if (verb == "unfence") {
    linker::api::MirrorsRequest request;
    request.set_link(kLink);
    request.add_topics(topic);
    co_return status_of(co_await gateway.unfence_mirrors(std::move(request), deadline));
  }
  if (verb == "delete" || verb == "force-delete") {
    linker::api::DeleteLinkRequest request;
    request.set_link(kLink);
    request.set_force(verb == "force-delete");
    co_return status_of(co_await gateway.delete_link(std::move(request), deadline));
  }
  if (verb == "promote") {
    linker::api::PromoteRequest request;
    request.set_link(kLink);
    request.add_topics(topic);
    co_return co_await gateway.promote(std::move(request), progress, deadline);
  }
  if (verb == "failover") {
    linker::api::FailoverRequest request;
    request.set_link(kLink);
    request.add_topics(topic);
    co_return co_await gateway.failover(std::move(request), progress, deadline);
  }
  linker::api::VerifyRequest request;
  request.set_link(kLink);
  request.set_all(true);
  linker::Verification::Report report = [](linker::api::VerifyProgress) {};
  co_return co_await gateway.verify(std::move(request), report, deadline);
}

}  // namespace farshore::simulation
