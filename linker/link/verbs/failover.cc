#include "linker/link/verbs/failover.h"

#include "linker/link/model/promotion_api.h"

namespace farshore::linker {
Task<Result<TopicVerb::Readiness>> Failover::check(Deadline) {
  if (topic_.state() != MirrorState::kStopped && !may_follow(topic_.state(), MirrorState::kStopped))
    co_return Error(ErrorCode::kInvalidArgument,
                    "mirror topic " + topic_.name() + " is " + topic_.state_and_reason() + ": nothing is mirrored" +
                        (topic_.left_out() ? ", so there is nothing to end"
                                           : " yet, so there is nothing to end; wait until it is ACTIVE"));
  co_return Readiness::kReady;
}

std::vector<TopicVerb::Step> Failover::steps() {
  return {{"end-mirror", [this](Deadline deadline) { return end(false, deadline); }}};
}

Task<Status> Failover::plan(Deadline deadline) {
  auto planned = co_await end(true, deadline);
  if (!planned) co_return std::move(planned).error().in("failover of " + topic_.name());
  co_return ok();
}

// The target may carry it out all the same.
Task<Status> Failover::give_up(Error why) {
  const bool unknown = error_retriable(why.code) || why == ErrorCode::kAmbiguous || why == ErrorCode::kClosed;
  if (topic_.state() != MirrorState::kStopped && (unknown || was_undecided_))
    link_.ends.add(topic_.name(), UndecidedEnds::kSettles);
  co_return std::move(why).in("failover of " + topic_.name());
}

Task<Status> Failover::end(bool dry_run, Deadline deadline) {
  EndOfTopic request;
  request.topic = topic_.as_target_topic();
  request.pumps = topic_.pumps();
  request.dry_run = dry_run;
  CO_TRY(auto record, co_await end_at_target(std::move(request), deadline));
  const bool before = topic_.promotion().has_value();
  if (!dry_run && !before) topic_.end(record);
  // A promote that did not learn its end has fenced the source.
  if (!dry_run && (was_undecided_ || link_.ends.take(topic_.name()))) link_.fences.keep(topic_.source_topic());
  api::VerbProgress done = outcome(before    ? std::string("was ended before")
                                   : dry_run ? std::string("would end the mirror now")
                                             : "the mirror has ended; " + writable_partitions(record));
  *done.mutable_mirror()->mutable_promotion() = to_api(record);
  done.set_rto_ms(elapsed_ms());
  tell(std::move(done));
  co_return ok();
}

}  // namespace farshore::linker
