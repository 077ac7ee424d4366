#include "linker/link/verbs/topic_verb.h"

#include <algorithm>

#include "linker/link/model/topic_view.h"

namespace farshore::linker {

TopicVerb::TopicVerb(LinkParts link, MirrorTopic& topic, Call call)
    : link_(link), topic_(topic), call_(std::move(call)), begun_(link.env.now()) {}

TopicVerb::~TopicVerb() = default;

std::string_view TopicVerb::current_step() const { return at_ < steps_.size() ? steps_[at_].name : std::string_view(); }

Status TopicVerb::may_go_on() const {
  if (gone(call_.caller)) return given_up();
  if (displaced()) return Error(ErrorCode::kConflict, "a failover has taken the place of this " + std::string(name()));
  return ok();
}

StillWanted TopicVerb::still_wanted() const {
  return [this] { return may_go_on().has_value(); };
}

Task<Status> TopicVerb::run(Deadline deadline) {
  CO_TRY(const Readiness readiness, co_await check(deadline));
  if (readiness == Readiness::kDoneBefore) {
    tell(outcome("was ended before"));
    co_return ok();
  }
  begin();
  steps_ = steps();
  for (at_ = 0; at_ < steps_.size(); ++at_) {
    auto done = may_go_on();
    if (done) done = co_await steps_[at_].run(deadline);
    if (!done) co_return co_await give_up(std::move(done).error());
  }
  co_return ok();
}

Task<Status> TopicVerb::dry_run(Deadline deadline) {
  CO_TRY(const Readiness readiness, co_await check(deadline));
  if (readiness == Readiness::kDoneBefore) {
    tell(outcome("was ended before"));
    co_return ok();
  }
  co_return co_await plan(deadline);
}

void TopicVerb::report_step(std::string text) const {
  api::VerbProgress progress;
  progress.set_topic(topic_.name());
  progress.set_step(std::move(text));
  tell(std::move(progress));
}

api::VerbProgress TopicVerb::outcome(std::string text) const {
  api::VerbProgress done;
  done.set_topic(topic_.name());
  done.set_step(std::move(text));
  done.set_done(true);
  *done.mutable_mirror() = describe(topic_, link_);
  return done;
}

int64_t TopicVerb::elapsed_ms() const {
  return std::max<int64_t>(1, std::chrono::duration_cast<milliseconds>(link_.env.now() - begun_).count());
}

Task<Result<PromotionRecord>> TopicVerb::end_at_target(EndOfTopic request, Deadline deadline) {
  if (request.topic.promotion) co_return *request.topic.promotion;
  const auto pumps = request.pumps;
  const bool dry_run = request.dry_run;
  request.wanted = still_wanted();
  auto record = co_await link_.target.end(std::move(request), link_.replicator, deadline);
  if (record) {
    add_what_was_seen(*record, pumps, link_.replicator, link_.env.now());
  } else if (!dry_run && !displaced() && !link_.definition.paused() && topic_.state() != MirrorState::kPaused) {
    for (const auto& key : pumps) link_.replicator.resume(key);  // the target has paused some of them
  }
  co_return record;
}

}  // namespace farshore::linker
