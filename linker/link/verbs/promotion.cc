#include "linker/link/verbs/promotion.h"

#include <algorithm>

#include "base/plant.h"
#include "linker/link/verbs/drain.h"

namespace farshore::linker {
namespace {

// Of each request that undoes, or asks what has become of the mirror: what it does not reach is done in the background.
constexpr Duration kUndoLimit = seconds(3);

}  // namespace

Promotion::Promotion(LinkParts link, MirrorTopic& topic, PromotionOptions options, GroupSync& groups,
                     TopicDiscovery& discovery, Call call)
    : TopicVerb(link, topic, std::move(call)), options_(options), groups_(groups), discovery_(discovery) {}

Task<Result<TopicVerb::Readiness>> Promotion::check(Deadline deadline) {
  bool ended = topic_.state() == MirrorState::kStopped;
  const bool allowed = ended || may_follow(topic_.state(), MirrorState::kPendingStopped);
  if (!allowed) {
    auto found = co_await find_end(deadline);
    ended = found && *found;
    if (ended && fences()) link_.fences.keep(topic_.source_topic());  // an earlier try whose answer was lost
  }
  if (!ended && !allowed)
    co_return Error(ErrorCode::kInvalidArgument,
                    "mirror topic " + topic_.name() + " is " + topic_.state_and_reason() +
                        ": promote needs an ACTIVE mirror" +
                        (topic_.pumps().empty() && !topic_.at_target()
                             ? "; nothing is mirrored, so there is nothing to end"
                             : " (failover also ends one that is FAILED, PAUSED or SOURCE_UNAVAILABLE)"));
  if (ended) co_return Readiness::kDoneBefore;
  if (link_.definition.paused())
    co_return Error(ErrorCode::kInvalidArgument,
                    "link " + link_.definition.spec().name +
                        " is paused, so nothing more is copied and a promote could not complete: resume it first "
                        "(farshore link resume), or fail over");
  if (!link_.source.known())
    co_return Error(ErrorCode::kUnavailable,
                    "the source has not answered this gateway yet: a promote needs it (failover does not)");
  if (!link_.source.farshore() && !options_.source_quiesced && !options_.allow_source_writes)
    co_return Error(ErrorCode::kInvalidArgument,
                    "the source is Apache Kafka, where writes cannot be fenced: stop its producers and give "
                    "--source-quiesced, or accept stranded records with --allow-source-writes");
  co_return Readiness::kReady;
}

void Promotion::begin() {
  end_asked_ = link_.ends.take(topic_.name());  // by an earlier promote or failover
  topic_.begin_promotion();
}

Task<Status> Promotion::plan(Deadline deadline) {
  CO_CHECK(co_await read_source_ends(deadline));
  CO_CHECK(check_partitions());
  int64_t missing = 0;
  for (const auto& key : topic_.pumps())
    if (auto p = link_.replicator.progress(key))
      missing += std::max<int64_t>(0, source_ends_[key.partition.value()] - p->pump.target_high_watermark.value());
  tell(outcome(std::string(link_.source.farshore() ? "would make the source read-only, " : "would ") + "drain " +
               std::to_string(missing) + " records, sync groups and end the mirror"));
  co_return ok();
}

std::vector<TopicVerb::Step> Promotion::steps() {
  return {{"fence-source", [this](Deadline deadline) { return fence_source(deadline); }},
          {"read-source-ends", [this](Deadline deadline) { return read_source_ends(deadline); }},
          {"check-partitions", [this](Deadline) { return check_partitions_step(); }},
          {"drain", [this](Deadline deadline) { return drain(deadline); }},
          {"sync-groups", [this](Deadline deadline) { return sync_groups(deadline); }},
          {"end-mirror", [this](Deadline deadline) { return end_mirror(deadline); }}};
}

Task<Status> Promotion::fence_source(Deadline deadline) {
  if (!fences()) co_return ok();
  report_step("the source is asked to take no writes");
  fence_asked_ = true;
  CO_CHECK(co_await link_.fences.raise(topic_.source_topic(), still_wanted(), deadline));
  report_step("the source topic takes no writes from now on");
  co_return ok();
}

Task<Status> Promotion::read_source_ends(Deadline deadline) {
  auto ends = co_await link_.source.end_offsets(topic_.source_topic(), deadline);
  if (!ends) co_return std::move(ends).error().in("source: ends of topic " + topic_.source_topic());
  source_ends_ = std::move(*ends);
  co_return ok();
}

Status Promotion::check_partitions() {
  const size_t partitions = source_ends_.size(), mirrored = topic_.pumps().size();
  if (mirrored >= partitions) return ok();
  discovery_.wake();
  return Error(ErrorCode::kUnavailable, "the source has " + std::to_string(partitions) + " partitions, of which " +
                                            std::to_string(mirrored) + " are mirrored so far: ask again in a moment");
}

Task<Status> Promotion::check_partitions_step() { co_return check_partitions(); }

Task<Status> Promotion::drain(Deadline deadline) {
  Drain drain(
      link_, topic_, source_ends_, [this](std::string text) { report_step(std::move(text)); },
      [this] { return may_go_on(); });
  co_return co_await drain.run(deadline);
}

Task<Status> Promotion::sync_groups(Deadline deadline) {
  if (!link_.definition.spec().group_sync) co_return ok();
  // The mirror must still be ended in what is left.
  if (!deadline.is_never()) deadline = link_.env.in((deadline.at() - link_.env.now()) * 3 / 4);
  auto left = co_await groups_.sync(deadline);
  if (!left)
    co_return Error(left.error().code,
                    left.error().detail +
                        ": the committed offsets of consumer groups could not be carried over; try again with more "
                        "time (--deadline-ms), or without them (farshore link update --set group.sync.enable=false)");
  groups_left_ = left->to_string();
  if (!groups_left_.empty()) report_step(groups_left_);
  co_return ok();
}

Task<Status> Promotion::end_mirror(Deadline deadline) {
  // From here on the fence outlives this gateway for longer: the mirror may end.
  if (fences()) CO_CHECK(co_await link_.fences.hold_for_end(topic_.source_topic(), still_wanted(), deadline));
  // Once more, now that the source has answered last of all: since the drain it may have lost its last records, with
  // its power, while the groups were synced.
  CO_CHECK(co_await drain(deadline));
  CO_CHECK(may_go_on());
  end_asked_ = true;
  deadline = std::min(deadline, link_.env.in(SourceFences::kEndLease / 2));  // while the fence certainly holds
  EndOfTopic request;
  request.topic = topic_.as_target_topic();
  request.pumps = topic_.pumps();
  request.ends = source_ends_;
  auto ended = co_await end_at_target(std::move(request), deadline);
  if (!ended) {
    // kClosed: not wanted any more, perhaps after a try whose answer was lost.
    end_refused_ = !error_retriable(ended.error().code) && ended.error() != ErrorCode::kAmbiguous &&
                   ended.error() != ErrorCode::kClosed;
    co_return std::move(ended).error();
  }
  PromotionRecord record = std::move(*ended);
  link_.fences.keep(topic_.source_topic());
  record.kind = PromotionKind::kPromote;
  co_await note_stranded_records(record, deadline);
  if (topic_.state() != MirrorState::kStopped) topic_.end(std::move(record));
  api::VerbProgress done =
      outcome("the mirror has ended; the topic is writable" + (groups_left_.empty() ? "" : "; " + groups_left_));
  done.set_rto_ms(elapsed_ms());
  tell(std::move(done));
  co_return ok();
}

Task<void> Promotion::note_stranded_records(PromotionRecord& record, Deadline deadline) {
  auto ends = co_await link_.source.end_offsets(topic_.source_topic(), deadline);
  if (!ends) co_return;  // the mirror has ended in any case
  for (auto& p : record.partitions)
    p.stranded_records = std::max<int64_t>(0, (*ends)[p.partition] - source_ends_[p.partition]);
}

Task<Result<bool>> Promotion::find_end(Deadline deadline) {
  CO_TRY(auto found, co_await link_.target.adopt(deadline));
  for (const auto& there : found) {
    if (there.topic != topic_.name() || !there.promotion || there.id != topic_.id()) continue;
    if (topic_.state() != MirrorState::kStopped) topic_.end(*there.promotion);
    co_return true;
  }
  co_return false;
}

Task<Result<bool>> Promotion::find_out_whether_ended() {
  if (topic_.state() == MirrorState::kStopped) co_return true;
  if (!end_asked_) co_return false;
  // While it may still be carried out, an answer "not ended" decides nothing.
  if (!end_refused_) {
    report_step("the target has not said whether the mirror has ended: it is asked again in a moment");
    (void)co_await link_.stopping.wait(link_.env.in(UndecidedEnds::kSettles));
  }
  co_return co_await find_end(link_.env.in(kUndoLimit));
}

Task<Status> Promotion::give_up(Error why) {
  const std::string step(current_step());
  link_.env.log().warn(
      "a promote is given up",
      {{"link", link_.definition.spec().name}, {"topic", topic_.name()}, {"step", step}, {"error", why}});
  const bool was_stopped = topic_.state() == MirrorState::kStopped;
  const auto ended = co_await find_out_whether_ended();
  if (ended && *ended && !was_stopped) {  // only the answer was lost
    link_.fences.keep(topic_.source_topic());
    tell(outcome("the mirror has ended; the topic is writable"));
    co_return ok();
  }
  const std::string left = co_await undo(ended);
  const std::string reason = why.detail.empty() ? std::string(error_name(why.code)) : why.detail;
  topic_.give_up_promotion();
  co_return Error(why.code,
                  "promote of " + topic_.name() + " was given up in step " + step + ": " + reason + "; " + left);
}

Task<std::string> Promotion::undo(Result<bool> ended) {
  if (!ended) {
    link_.ends.add(topic_.name(), Duration::zero());
    const std::string asked = "the target is asked again until it says (farshore mirror describe shows it)";
    if (!fence_asked_) co_return "it is not known whether the mirror has ended: " + asked;
    co_return "the source takes no writes until it is known whether the mirror has ended, at most an hour; " + asked;
  }
  if (*ended) {
    if (fence_asked_) link_.fences.keep(topic_.source_topic());
    co_return fence_asked_ ? "the mirror was ended meanwhile; the source takes no writes any more"
                           : "the mirror was ended meanwhile";
  }
  if (!fence_asked_ || planted(link_.env, Plant::kFenceNotLifted)) co_return "the mirror goes on";
  const bool confirmed = link_.fences.holds(topic_.source_topic());
  auto lifted = co_await link_.fences.lifted(topic_.source_topic(), link_.env.in(kUndoLimit));
  if (lifted) co_return "the source takes writes again, and the mirror goes on";
  co_return (confirmed ? "the source takes no writes yet ("
                       : "the source has not said whether it is fenced, and may take no writes yet (") +
      lifted.error().to_string() +
      "): the gateway goes on lifting the fence, and the source lifts it by itself at the latest a minute after it has "
      "heard of it";
}

}  // namespace farshore::linker
