#include "linker/link/tasks/source_watch.h"

namespace farshore::linker {
namespace {

constexpr Duration kUnavailableAfter = seconds(10);  // without an answer from the source

}  // namespace

Task<Status> SourceWatch::round(Deadline) {
  uint64_t bytes = 0;
  for (const auto& p : link_.replicator.progress()) {
    bytes += p.pump.bytes;
    if (p.contact) link_.status.source_answered(p.last_contact);
  }
  measure_rate(bytes);
  judge_source();
  co_return ok();
}

void SourceWatch::measure_rate(uint64_t bytes) {
  const MonoTime now = link_.env.now();
  const double elapsed = std::chrono::duration<double>(now - measured_at_).count();
  if (elapsed > 0) {
    // The sum shrinks when a partition is removed.
    const double rate = bytes >= measured_bytes_ ? static_cast<double>(bytes - measured_bytes_) / elapsed : 0;
    bytes_per_second_ = bytes_per_second_ * 0.5 + rate * 0.5;
  }
  measured_at_ = now;
  measured_bytes_ = bytes;
}

void SourceWatch::judge_source() {
  LinkStatus& status = link_.status;
  if (!link_.definition.active() || status.state() == LinkState::kFailed) return;
  const bool silent = link_.env.now() - status.last_source_contact() > kUnavailableAfter;
  if (silent && status.state() == LinkState::kActive)
    status.set(LinkState::kUnavailable, "the source has not answered: " + discovery_.last_error().to_string());
  if (!silent && status.state() == LinkState::kUnavailable) status.set(LinkState::kActive, "");
  for (const auto& entry : link_.topics.all()) {
    if (silent)
      entry.second->source_is_silent();
    else
      entry.second->source_answers();
  }
}

}  // namespace farshore::linker
