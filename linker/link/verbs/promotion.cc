#include "linker/link/verbs/promotion.h"

#include <algorithm>

#include "base/plant.h"
#include "linker/link/verbs/drain.h"

namespace farshore::linker {
namespace {

constexpr Duration kGiveUpLimit = seconds(10);  // of each request that undoes, or asks what has become of the mirror
// A request that ends the mirror, and whose answer was lost, is not carried out later than this.
constexpr Duration kEndIsDecided = MirrorClient::kRequestLife + seconds(2);

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
    co_return Error(ErrorCode::kInvalidArgument, "mirror topic " + topic_.name() + " is " +
                                                     std::string(farshore::name(topic_.state())) +
                                                     ": promote needs an ACTIVE mirror (failover acts in any state)");
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
  report_step("the source topic takes no writes from now on");
  fence_asked_ = true;
  co_return co_await link_.fences.raise(topic_.source_topic(), still_wanted(), deadline);
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
  co_return co_await groups_.sync(deadline);
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
  api::VerbProgress done = outcome("the mirror has ended; the topic is writable");
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

Task<Status> Promotion::give_up(Error why) {
  Result<bool> ended = topic_.state() == MirrorState::kStopped;
  if (end_asked_ && !*ended) {
    // While it may still be carried out, an answer "not ended" decides nothing.
    if (!end_refused_) (void)co_await link_.stopping.wait(link_.env.in(kEndIsDecided));
    ended = co_await find_end(link_.env.in(kGiveUpLimit));
    if (ended && *ended) {  // only the answer was lost
      link_.fences.keep(topic_.source_topic());
      tell(outcome("the mirror has ended; the topic is writable"));
      co_return ok();
    }
  }
  if (fence_asked_ && !ended) {
    link_.fences.decide_later(topic_.source_topic());
    why = why.in(
        "the source takes no writes until it is known whether the mirror has ended, at most an hour: the target is "
        "asked "
        "until it answers");
  } else if (fence_asked_ && *ended) {
    why = why.in("the mirror was ended meanwhile; the source takes no writes any more");
    link_.fences.keep(topic_.source_topic());
  } else if (fence_asked_ && !planted(link_.env, Plant::kFenceNotLifted)) {
    auto lifted = co_await link_.fences.lifted(topic_.source_topic(), link_.env.in(kGiveUpLimit));
    if (!lifted)
      why = why.in("the source takes no writes yet (" + lifted.error().to_string() +
                   "): this is tried again, and ends by itself at the latest a minute after the last renewal");
  }
  topic_.give_up_promotion();
  co_return std::move(why).in("promote of " + topic_.name());
}

}  // namespace farshore::linker
