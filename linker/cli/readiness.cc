#include "linker/cli/readiness.h"

namespace farshore::cli {
namespace {

namespace v1 = control::v1;
using State = Readiness::State;

Readiness not_yet(std::string missing) { return {State::kNotYet, std::move(missing)}; }
Readiness never(std::string missing) { return {State::kNever, std::move(missing)}; }

std::string with_reason(std::string text, const std::string& reason) {
  return reason.empty() ? text : text + " (" + reason + ")";
}

Readiness topic_readiness(const v1::MirrorTopic& topic, int64_t asked_ms_ago) {
  const std::string named = "mirror topic " + topic.topic();
  const std::string is = with_reason(named + " is " + topic.state(), topic.state_reason());
  if (topic.state() == "STOPPED" || topic.state() == "LEFT_OUT") return {};
  if (topic.state() == "FAILED" || topic.state() == "PAUSED") return never(is);
  if (topic.state() != "ACTIVE" || topic.partitions().empty()) return not_yet(is);
  for (const auto& p : topic.partitions()) {
    const std::string partition = named + " partition " + std::to_string(p.partition());
    if (p.last_contact_ms_ago() < 0 || p.last_contact_ms_ago() >= asked_ms_ago)  // both were rounded down
      return not_yet(with_reason(partition + ": the source has not answered yet", p.error()));
    if (p.lag_records() < 0) return not_yet(with_reason(partition + ": the lag is not known yet", p.error()));
    if (p.lag_records() > 0)
      return not_yet(with_reason(partition + " is " + std::to_string(p.lag_records()) + " records behind", p.error()));
  }
  return {};
}

// Topics and partitions that the link has not seen yet are in no list of its mirror topics.
Readiness discovery_readiness(const v1::Link& link, int64_t asked_ms_ago) {
  for (const auto& task : link.tasks()) {
    if (task.name() != "topic-discovery") continue;
    const bool looked = task.has_last_begun_ms_ago() && task.last_begun_ms_ago() < asked_ms_ago;
    if (looked && task.error().empty()) return {};
    return not_yet(
        with_reason("link " + link.spec().name() + " has not looked for new topics and partitions of its source yet",
                    task.error()));
  }
  return not_yet("the gateway does not say when link " + link.spec().name() + " looked for new topics of its source");
}

Readiness mirrors_readiness(const v1::StatusReply& status, int64_t asked_ms_ago) {
  Readiness worst;
  for (const auto& topic : status.mirrors()) {
    auto ready = topic_readiness(topic, asked_ms_ago);
    if (ready.state == State::kNever) return ready;
    if (worst.state == State::kReady) worst = std::move(ready);
  }
  return worst;
}

// With nothing behind, but because nothing is mirrored.
Readiness left_out_readiness(const v1::StatusReply& status, const std::string& link) {
  for (const auto& topic : status.mirrors())
    if (topic.state() != "LEFT_OUT") return {};
  const auto& first = status.mirrors(0);
  return never("nothing of link " + link +
               " is mirrored: " + with_reason("topic " + first.topic() + " is LEFT_OUT", first.state_reason()) +
               (status.mirrors().size() > 1 ? ", and so are all others" : ""));
}

}  // namespace

Readiness gateway_readiness(const v1::StatusReply& status) {
  if (status.not_ready_reason().empty()) return {};
  return not_yet("the gateway has not read its links yet: " + status.not_ready_reason());
}

Readiness link_readiness(const v1::StatusReply& status, const std::string& link, int64_t asked_ms_ago) {
  if (auto gateway = gateway_readiness(status); gateway.state != State::kReady) return gateway;
  const v1::Link* found = nullptr;
  for (const auto& each : status.links())
    if (each.spec().name() == link) found = &each;
  if (!found) return never("the gateway has no link '" + link + "'");
  const std::string is = with_reason("link " + link + " is " + found->state(), found->state_reason());
  if (found->state() == "FAILED" || found->state() == "PAUSED") return never(is);
  if (found->state() != "ACTIVE") return not_yet(is);
  if (status.mirrors().empty()) return not_yet("link " + link + " has no mirror topic yet");
  auto mirrors = mirrors_readiness(status, asked_ms_ago);
  if (mirrors.state == State::kNever) return mirrors;
  auto discovery = discovery_readiness(*found, asked_ms_ago);
  if (discovery.state != State::kReady) return discovery;
  return mirrors.state == State::kReady ? left_out_readiness(status, link) : mirrors;
}

// What the gateway reports is counted back from when it answers. That is after it was asked, and may be long before its
// answer is here: only the moment of the question bounds it.
ReadinessLook look_at_gateway(const std::string& link, const ReadinessLook::Elapsed& elapsed,
                              const ReadinessLook::Ask& ask) {
  ReadinessLook look;
  const std::chrono::milliseconds asked_at = elapsed();
  std::string missing;
  look.status = ask(missing);
  if (!look.status)
    look.readiness = not_yet(std::move(missing));
  else if (link.empty())
    look.readiness = gateway_readiness(*look.status);
  else
    look.readiness = link_readiness(*look.status, link, asked_at.count());
  return look;
}

}  // namespace farshore::cli
