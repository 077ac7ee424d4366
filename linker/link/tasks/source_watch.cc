#include "linker/link/tasks/source_watch.h"

namespace farshore::linker {
namespace {

constexpr Duration kUnavailableAfter = seconds(10);  // without an answer from the source

}  // namespace

Task<Status> SourceWatch::round(Deadline) {
  if (auto last = link_.replicator.last_contact()) link_.status.source_answered(*last);
  measure_rate(link_.replicator.bytes_received());
  link_.topics.fail_with_their_pumps();
  judge_source();
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

void SourceWatch::judge_source() {
  LinkStatus& status = link_.status;
  if (!link_.definition.active() || status.state() == LinkState::kFailed) return;
  // A link that asks nothing (its target does not take anything) hears nothing, and that says nothing about the source.
  Error why = link_.replicator.source_error();
  const Error& discovery = discovery_.last_error();
  if (why.code == ErrorCode::kNone && discovery.detail.starts_with("source")) why = discovery;
  const bool silent = status.source_silent_for() > kUnavailableAfter && why.code != ErrorCode::kNone;
  if (silent && status.state() == LinkState::kActive)
    status.set(LinkState::kUnavailable, "the source has not answered: " + why.to_string());
  if (!silent && status.state() == LinkState::kUnavailable) status.set(LinkState::kActive, "");
  for (const auto& entry : link_.topics.all()) {
    if (silent)
      entry.second->source_is_silent();
    else
      entry.second->source_answers();
  }
}

}  // namespace farshore::linker
