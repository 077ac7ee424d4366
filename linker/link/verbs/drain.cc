#include "linker/link/verbs/drain.h"

#include <algorithm>

#include "base/gate.h"
#include "base/plant.h"

namespace farshore::linker {
namespace {

constexpr Duration kPoll = milliseconds(50);
constexpr Duration kReportPause = seconds(1);
constexpr size_t kAsksMax = 256;  // to the source, at the same time
constexpr const char* kSourceLost = "the source lost records that were mirrored: the mirror is cut back first";

const char* in_words(replicator::PumpPhase phase) {
  switch (phase) {
    case replicator::PumpPhase::kWaitingForControl:
      return "is being opened at the target";
    case replicator::PumpPhase::kPaused:
      return "is paused";
    case replicator::PumpPhase::kFailed:
      return "has failed (see mirror describe)";
    case replicator::PumpPhase::kRunning:
      break;
  }
  return "is copied";
}

}  // namespace

std::string Drain::missing() const {
  int64_t records = 0;
  std::string not_copied;
  for (const auto& key : topic_.pumps()) {
    auto progress = link_.replicator.progress(key);
    auto end = ends_.find(key.partition.value());
    if (!progress || end == ends_.end()) continue;
    const int64_t left = std::max<int64_t>(0, end->second - progress->pump.target_high_watermark.value());
    records += left;
    const Error& why =
        progress->target_error.code != ErrorCode::kNone ? progress->target_error : progress->source_error;
    const bool running = progress->pump.phase == replicator::PumpPhase::kRunning;
    const bool in_trouble = !running || (left > 0 && why.code != ErrorCode::kNone);
    if (!in_trouble || !not_copied.empty()) continue;
    not_copied = "partition " + std::to_string(key.partition.value()) + " " + in_words(progress->pump.phase);
    if (why.code != ErrorCode::kNone) not_copied += " (" + why.to_string() + ")";
  }
  if (records > 0)
    return std::to_string(records) + " records to go" + (not_copied.empty() ? "" : ", and " + not_copied);
  return not_copied;
}

Task<void> Drain::ask_source(LinkPartition key, Deadline deadline, Status& result, bool& has_all) {
  auto has = co_await link_.replicator.source_still_has(key, deadline);
  if (!has) {
    result = std::move(has).error().in("source: partition " + std::to_string(key.partition.value()));
    co_return;
  }
  has_all = has_all && *has;
}

// All partitions at once: over a long way it costs one round trip, not one for each.
Task<Result<bool>> Drain::source_has_all(Deadline deadline) {
  if (planted(link_.env, Plant::kSkipSourceStillHas)) co_return true;
  Status result;
  bool has_all = true;
  const auto pumps = topic_.pumps();
  for (size_t at = 0; at < pumps.size(); at += kAsksMax) {
    Gate asks(link_.env);
    for (size_t i = at; i < std::min(pumps.size(), at + kAsksMax); ++i)
      spawn(asks, "drain asks the source", ask_source(pumps[i], deadline, result, has_all));
    co_await asks.close();
    if (!result) co_return std::move(result).error();
  }
  co_return has_all;
}

Task<Status> Drain::run(Deadline deadline) {
  std::string reported;
  MonoTime reported_at;
  while (true) {
    CO_CHECK(may_go_on_());
    // Before anything else: a topic that has lost its pumps has nothing that could be missing.
    if (topic_.state() != MirrorState::kPendingStopped)
      co_return Error(ErrorCode::kInvalidArgument,
                      "the mirror became " + std::string(name(topic_.state())) + ": " + topic_.reason());
    if (topic_.pumps().size() < ends_.size())
      co_return Error(ErrorCode::kUnavailable, "only " + std::to_string(topic_.pumps().size()) + " of " +
                                                   std::to_string(ends_.size()) + " partitions are copied now");
    std::string what = missing();
    if (what.empty()) {
      CO_TRY(const bool has_all, co_await source_has_all(deadline));
      if (has_all) co_return ok();
      // A pump that began anew meanwhile cannot say; it does in the next round.
      what = missing();
      if (what.empty()) what = kSourceLost;
    }
    const MonoTime now = link_.env.now();
    if (what != reported && (reported.empty() || now - reported_at >= kReportPause)) {
      report_("draining: " + what);
      reported = what;
      reported_at = now;
    }
    if (deadline.passed(link_.env.now()))
      co_return Error(ErrorCode::kTimedOut, "the drain was not complete before the deadline (" + what +
                                                "): promote again with a longer --deadline-ms, or fail over");
    (void)co_await link_.stopping.wait(link_.env.in(kPoll));
    if (link_.stopping.is_set()) co_return Error(ErrorCode::kClosed, "the gateway is stopping");
  }
}

}  // namespace farshore::linker
