#include "linker/link/tasks/source_watch.h"

#include <algorithm>

namespace farshore::linker {
namespace {

constexpr Duration kUnavailableAfter = seconds(10);  // without an answer

}  // namespace

Task<Status> SourceWatch::round(Deadline) {
  if (auto last = link_.replicator.last_contact()) link_.status.source_answered(*last);
  measure_rate(link_.replicator.bytes_received());
  link_.topics.fail_with_their_pumps();
  judge_ends();
  co_return ok();
}

void SourceWatch::measure_rate(uint64_t bytes) {
  const MonoTime now = link_.env.now();
  const double elapsed = std::chrono::duration<double>(now - measured_at_).count();
  if (elapsed > 0) {
    const double rate = static_cast<double>(bytes - measured_bytes_) / elapsed;
    bytes_per_second_ = bytes_per_second_ * 0.5 + rate * 0.5;
  }
  measured_at_ = now;
  measured_bytes_ = bytes;
}

// A link that asks nothing (its target does not take anything) hears nothing, and that says nothing about the source.
// A source that was found silent stays so until it answers.
bool SourceWatch::source_is_silent(Error& why) const {
  why = link_.replicator.source_error();
  const Error& discovery = discovery_.last_error();
  if (why.code == ErrorCode::kNone && discovery.detail.starts_with("source")) why = discovery;
  if (source_silent_ && why.code == ErrorCode::kNone) why = Error(ErrorCode::kTimedOut, "no answer");
  const Duration asked_for = std::min(link_.env.now() - active_since_, link_.status.source_silent_for());
  return asked_for > kUnavailableAfter && why.code != ErrorCode::kNone;
}

bool SourceWatch::target_is_silent(Error& why) const {
  why = ownership_.last_error();
  if (why.code == ErrorCode::kNone) why = Error(ErrorCode::kTimedOut, "no answer");
  return link_.status.target_silent_for() > kUnavailableAfter;
}

void SourceWatch::judge_ends() {
  LinkStatus& status = link_.status;
  if (!link_.definition.active() || status.state() == LinkState::kFailed) {
    source_silent_ = target_silent_ = false;
    active_since_ = link_.env.now();
    return;
  }
  Error source_why, target_why;
  const bool source = source_is_silent(source_why), target = target_is_silent(target_why);
  const bool changed = source != source_silent_ || target != target_silent_ ||
                       (source || target) != (status.state() == LinkState::kUnavailable);
  source_silent_ = source;
  target_silent_ = target;
  if (changed) {
    std::string reason = source ? "the source has not answered: " + source_why.to_string() : std::string();
    if (target)
      reason += (source ? std::string("; ") : std::string()) + "the target has not answered: " + target_why.to_string();
    const LinkState state = reason.empty() ? LinkState::kActive : LinkState::kUnavailable;
    status.set(state, std::move(reason));
  }
  for (const auto& entry : link_.topics.all()) {
    if (source)
      entry.second->source_is_silent();
    else
      entry.second->source_answers();
  }
}

}  // namespace farshore::linker
