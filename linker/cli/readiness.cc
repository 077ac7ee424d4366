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
  if (topic.state() == "STOPPED") return {};
  if (topic.state() == "FAILED" || topic.state() == "PAUSED") return never(is);
  if (topic.state() != "ACTIVE" || topic.partitions().empty()) return not_yet(is);
  for (const auto& p : topic.partitions()) {
    const std::string partition = named + " partition " + std::to_string(p.partition());
    if (p.last_contact_ms_ago() < 0 || p.last_contact_ms_ago() > asked_ms_ago)
      return not_yet(with_reason(partition + ": the source has not answered yet", p.error()));
    if (p.lag_records() < 0) return not_yet(with_reason(partition + ": the lag is not known yet", p.error()));
    if (p.lag_records() > 0)
      return not_yet(with_reason(partition + " is " + std::to_string(p.lag_records()) + " records behind", p.error()));
  }
  return {};
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
  Readiness worst;
  for (const auto& topic : status.mirrors()) {
    auto ready = topic_readiness(topic, asked_ms_ago);
    if (ready.state == State::kNever) return ready;
    if (worst.state == State::kReady) worst = std::move(ready);
  }
  return worst;
}

}  // namespace farshore::cli
