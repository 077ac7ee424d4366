#include "linker/link/verbs/drain.h"

#include <algorithm>

namespace farshore::linker {
namespace {

constexpr Duration kPoll = milliseconds(50);

}  // namespace

int64_t Drain::missing_records() const {
  int64_t missing = 0;
  for (const auto& key : topic_.pumps()) {
    auto progress = link_.replicator.progress(key);
    auto end = ends_.find(key.partition.value());
    if (progress && end != ends_.end())
      missing += std::max<int64_t>(0, end->second - progress->pump.target_high_watermark.value());
  }
  return missing;
}

Task<Result<bool>> Drain::source_has_all(Deadline deadline) {
  bool has_all = true;
  const auto pumps = topic_.pumps();
  for (const auto& key : pumps) {
    CO_TRY(const bool has, co_await link_.replicator.source_still_has(key, deadline));
    has_all = has_all && has;
  }
  co_return has_all;
}

Task<Status> Drain::run(Deadline deadline) {
  int64_t reported = -1;
  while (true) {
    const int64_t missing = missing_records();
    if (missing == 0) {
      CO_TRY(const bool has_all, co_await source_has_all(deadline));
      if (has_all) co_return ok();
      if (reported != 0) report_("the source lost what was mirrored: the mirror follows it first");
    } else if (missing != reported) {
      report_("draining: " + std::to_string(missing) + " records to go");
    }
    reported = missing;
    if (deadline.passed(link_.env.now()))
      co_return Error(ErrorCode::kTimedOut, missing > 0 ? std::to_string(missing) +
                                                              " records were not mirrored before the deadline: promote "
                                                              "again with a longer --deadline-ms, or use failover"
                                                        : "the source lost records that were mirrored, and the mirror "
                                                          "is not cut back yet: promote again, or use failover");
    if (topic_.state() != MirrorState::kPendingStopped)
      co_return Error(ErrorCode::kInvalidArgument,
                      "the mirror became " + std::string(name(topic_.state())) + ": " + topic_.reason());
    (void)co_await link_.stopping.wait(link_.env.in(kPoll));
    if (link_.stopping.is_set()) co_return Error(ErrorCode::kClosed, "the gateway is stopping");
  }
}

}  // namespace farshore::linker
