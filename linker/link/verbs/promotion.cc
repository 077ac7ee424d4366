#include "linker/link/verbs/promotion.h"

#include <algorithm>

#include "linker/link/verbs/drain.h"

namespace farshore::linker {
namespace {

constexpr Duration kGiveUpLimit = seconds(10);  // of each request that undoes, or asks what has become of the mirror

}  // namespace

Promotion::Promotion(LinkParts link, MirrorTopic& topic, PromotionOptions options, GroupSync& groups,
                     TopicDiscovery& discovery, Progress progress)
    : TopicVerb(link, topic, std::move(progress)), options_(options), groups_(groups), discovery_(discovery) {}

Task<Result<TopicVerb::Readiness>> Promotion::check(Deadline deadline) {
  bool ended = topic_.state() == MirrorState::kStopped;
  const bool allowed = ended || may_follow(topic_.state(), MirrorState::kPendingStopped);
  if (!allowed) {
    auto found = co_await find_end(deadline);
    ended = found && *found;
  }
  if (!ended && !allowed)
    co_return Error(ErrorCode::kInvalidArgument, "mirror topic " + topic_.name() + " is " +
                                                     std::string(farshore::name(topic_.state())) +
                                                     ": promote needs an ACTIVE mirror (failover acts in any state)");
  if (!link_.source.farshore() && !options_.source_quiesced && !options_.allow_source_writes)
    co_return Error(ErrorCode::kInvalidArgument,
                    "the source is Apache Kafka, where writes cannot be fenced: stop its producers and give "
                    "--source-quiesced, or accept stranded records with --allow-source-writes");
  co_return ended ? Readiness::kDoneBefore : Readiness::kReady;
}

Task<Status> Promotion::plan(Deadline deadline) {
  CO_CHECK(co_await read_source_ends(deadline));
  CO_CHECK(check_partitions());
  int64_t missing = 0;
  for (const auto& key : topic_.pumps())
    if (auto p = link_.replicator.progress(key))
      missing += std::max<int64_t>(0, source_ends_[key.partition.value()] - p->pump.target_high_watermark.value());
  progress_(outcome(std::string(link_.source.farshore() ? "would make the source read-only, " : "would ") + "drain " +
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
  if (!link_.source.farshore() || options_.allow_source_writes) co_return ok();
  report_step("the source topic becomes read-only");
  auto fenced = co_await link_.source.mirrors().set_read_only(topic_.source_topic(), true, deadline);
  source_fenced_ = fenced.has_value();
  co_return fenced;
}

Task<Status> Promotion::read_source_ends(Deadline deadline) {
  CO_TRY(source_ends_, co_await link_.source.end_offsets(topic_.source_topic(), deadline));
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
  Drain drain(link_, topic_, source_ends_, [this](std::string text) { report_step(std::move(text)); });
  co_return co_await drain.run(deadline);
}

Task<Status> Promotion::sync_groups(Deadline deadline) {
  if (!link_.definition.spec().group_sync) co_return ok();
  co_return co_await groups_.sync(deadline);
}

Task<Status> Promotion::end_mirror(Deadline deadline) {
  end_asked_ = true;
  EndOfTopic request;
  request.topic = topic_.as_target_topic();
  request.pumps = topic_.pumps();
  request.ends = source_ends_;
  CO_TRY(auto record, co_await end_at_target(std::move(request), deadline));
  record.kind = PromotionKind::kPromote;
  co_await note_stranded_records(record, deadline);
  topic_.end(std::move(record));
  api::VerbProgress done = outcome("the mirror has ended; the topic is writable");
  done.set_rto_ms(elapsed_ms());
  progress_(std::move(done));
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
  Result<bool> ended = false;
  if (end_asked_) ended = co_await find_end(link_.env.in(kGiveUpLimit));
  if (ended && *ended) {  // only the answer was lost
    progress_(outcome("the mirror has ended; the topic is writable"));
    co_return ok();
  }
  if (source_fenced_ && !ended)
    why = why.in("the source stays read-only until it is known whether the mirror has ended; ask again");
  if (source_fenced_ && topic_.state() == MirrorState::kStopped)
    why = why.in("the mirror was ended meanwhile; the source stays read-only");
  else if (source_fenced_ && ended)
    (void)co_await link_.source.mirrors().set_read_only(topic_.source_topic(), false, link_.env.in(kGiveUpLimit));
  topic_.give_up_promotion();
  co_return std::move(why).in("promote of " + topic_.name());
}

}  // namespace farshore::linker
