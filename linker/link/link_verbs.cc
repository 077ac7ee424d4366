// Promote, failover, verify and translate of one link's mirror topics.
#include <algorithm>

#include "linker/link/link_controller.h"
#include "linker/link/promotion_api.h"
#include "proto/kafka/client/partition_reader.h"

namespace farshore::linker {
namespace {

constexpr Duration kPoll = milliseconds(50);

api::VerbProgress step(const std::string& topic, std::string text) {
  api::VerbProgress progress;
  progress.set_topic(topic);
  progress.set_step(std::move(text));
  return progress;
}

}  // namespace

Task<Status> LinkController::failover(std::string topic, bool dry_run, Progress progress, Deadline deadline) {
  const MonoTime begun = env_.now();
  if (!has_mirror(topic))
    co_return Error(ErrorCode::kNotFound, "link " + link_.spec.name + " has no mirror topic " + topic);
  Mirror& mirror = mirrors_[topic];
  if (mirror.state != MirrorState::kStopped && !may_follow(mirror.state, MirrorState::kStopped))
    co_return Error(ErrorCode::kInvalidArgument,
                    "mirror topic " + topic + " is " + std::string(name(mirror.state)) + ": there is no mirror to end");
  EndOfTopic request;
  request.topic = target_topic(mirror);
  request.pumps = mirror.pumps;
  request.dry_run = dry_run;
  auto record = co_await end_topic(std::move(request), deadline);
  if (!record) co_return std::move(record).error().in("failover of " + topic);
  const bool before = mirror.promotion.has_value();
  api::VerbProgress done = step(topic, before    ? "was ended before"
                                       : dry_run ? "would end the mirror now"
                                                 : "the mirror has ended; the topic is writable");
  if (!dry_run && !before) ended(mirror, *record);
  done.set_done(true);
  *done.mutable_mirror() = *describe_mirror(topic);
  *done.mutable_mirror()->mutable_promotion() = to_api(*record);
  done.set_rto_ms(std::max<int64_t>(1, std::chrono::duration_cast<milliseconds>(env_.now() - begun).count()));
  progress(std::move(done));
  co_return ok();
}

Task<Result<PromotionRecord>> LinkController::end_topic(EndOfTopic request, Deadline deadline) {
  if (request.topic.promotion) co_return *request.topic.promotion;  // ended before: the record is for ever
  auto pumps = request.pumps;
  const bool dry_run = request.dry_run;
  const std::string topic = request.topic.topic;
  auto record = co_await target_->end(std::move(request), replicator_, deadline);
  if (record) {
    add_what_was_seen(*record, pumps, replicator_, env_.now());
  } else if (!dry_run && link_.state != LinkState::kPaused && mirrors_[topic].state != MirrorState::kPaused) {
    for (const auto& key : pumps) replicator_.resume(key);  // those that were paused for it
  }
  co_return record;
}

Task<Result<std::map<int32_t, int64_t>>> LinkController::source_ends(std::string source_topic, Deadline deadline) {
  std::vector<std::string> names{source_topic};
  CO_TRY(auto view, co_await source_.client().refresh(std::move(names), deadline));
  auto found = view->topics.find(source_topic);
  if (found == view->topics.end() || found->second.error_code != 0)
    co_return Error(ErrorCode::kNotFound, "source topic " + source_topic + " is gone");
  std::map<int32_t, int64_t> ends;
  for (const auto& entry : found->second.partitions) {
    const int32_t partition = entry.first;
    TopicPartition where{source_topic, partition};
    CO_TRY(Offset end,
           co_await kafka::partition_offset(source_.client(), std::move(where), kafka::OffsetOf::kEnd, deadline));
    ends[partition] = end.value();
  }
  co_return ends;
}

Task<Status> LinkController::drain(std::string topic, std::map<int32_t, int64_t> ends, Progress progress,
                                   Deadline deadline) {
  int64_t told = -1;
  while (true) {
    int64_t missing = 0;
    for (const auto& key : mirrors_[topic].pumps) {
      auto p = replicator_.progress(key);
      if (!p) continue;
      auto end = ends.find(key.partition.value());
      if (end != ends.end()) missing += std::max<int64_t>(0, end->second - p->pump.target_high_watermark.value());
    }
    if (missing == 0) {
      // What the pumps know of the source may be of before it lost its end.
      bool agreed = true;
      const auto pumps = mirrors_[topic].pumps;
      for (const auto& key : pumps) {
        CO_TRY(const bool has, co_await replicator_.source_still_has(key, deadline));
        agreed = agreed && has;
      }
      if (agreed) co_return ok();
      if (told != 0) progress(step(topic, "the source lost what was mirrored: the mirror follows it first"));
    } else if (missing != told) {
      progress(step(topic, "draining: " + std::to_string(missing) + " records to go"));
    }
    told = missing;
    if (deadline.passed(env_.now()))
      co_return Error(ErrorCode::kTimedOut, missing > 0 ? std::to_string(missing) + " records were not mirrored in time"
                                                        : "the mirror did not follow what the source lost in time");
    if (mirrors_[topic].state != MirrorState::kPendingStopped)
      co_return Error(ErrorCode::kInvalidArgument,
                      "the mirror became " + std::string(name(mirrors_[topic].state)) + ": " + mirrors_[topic].reason);
    (void)co_await stopping_.wait(env_.in(kPoll));
    if (stopping_.is_set()) co_return Error(ErrorCode::kClosed, "the gateway is stopping");
  }
}

Task<Result<bool>> LinkController::find_end(std::string topic, Deadline deadline) {
  CO_TRY(auto found, co_await target_->adopt(deadline));
  for (const auto& there : found) {
    Mirror& mirror = mirrors_[topic];
    if (there.topic != topic || !there.promotion || there.id != mirror.id) continue;
    if (mirror.state != MirrorState::kStopped) ended(mirror, *there.promotion);
    co_return true;
  }
  co_return false;
}

// Not so for a gateway that has just started, or a topic that has just grown. Discovery leaves a topic that ends as it
// is, so a promote cannot wait for it.
Status LinkController::all_mirrored(const Mirror& mirror, size_t partitions) {
  if (mirror.pumps.size() >= partitions) return ok();
  wake_discovery_.set();
  return Error(ErrorCode::kUnavailable, "the source has " + std::to_string(partitions) + " partitions, of which " +
                                            std::to_string(mirror.pumps.size()) +
                                            " are mirrored so far: ask again in a moment");
}

Task<Status> LinkController::promote(std::string topic, PromoteOptions options, Progress progress, Deadline deadline) {
  const MonoTime begun = env_.now();
  if (!has_mirror(topic))
    co_return Error(ErrorCode::kNotFound, "link " + link_.spec.name + " has no mirror topic " + topic);
  Mirror& mirror = mirrors_[topic];
  bool again = mirror.state == MirrorState::kStopped;
  const bool could = again || may_follow(mirror.state, MirrorState::kPendingStopped);
  if (!could) {
    auto over = co_await find_end(topic, deadline);
    again = over && *over;
  }
  if (!again && !could)
    co_return Error(ErrorCode::kInvalidArgument, "mirror topic " + topic + " is " + std::string(name(mirror.state)) +
                                                     ": promote needs an ACTIVE mirror (failover acts in any state)");
  if (!source_is_farshore_ && !options.source_quiesced && !options.allow_source_writes)
    co_return Error(ErrorCode::kInvalidArgument,
                    "the source is Apache Kafka, where writes cannot be fenced: stop its producers and give "
                    "--source-quiesced, or accept stranded records with --allow-source-writes");
  if (again) {
    api::VerbProgress done = step(topic, "was ended before");
    done.set_done(true);
    *done.mutable_mirror() = *describe_mirror(topic);
    progress(std::move(done));
    co_return ok();
  }
  if (options.dry_run) {
    CO_TRY(auto now, co_await source_ends(mirror.source_topic, deadline));
    CO_CHECK(all_mirrored(mirror, now.size()));
    int64_t missing = 0;
    for (const auto& key : mirror.pumps)
      if (auto p = replicator_.progress(key))
        missing += std::max<int64_t>(0, now[key.partition.value()] - p->pump.target_high_watermark.value());
    api::VerbProgress plan =
        step(topic, std::string(source_is_farshore_ ? "would make the source read-only, " : "would ") + "drain " +
                        std::to_string(missing) + " records, sync groups and end the mirror");
    plan.set_done(true);
    *plan.mutable_mirror() = *describe_mirror(topic);
    progress(std::move(plan));
    co_return ok();
  }
  set_state(mirror, MirrorState::kPendingStopped, "promote");
  bool fenced = false;
  Status result;
  std::map<int32_t, int64_t> ends;
  if (source_is_farshore_ && !options.allow_source_writes) {
    progress(step(topic, "the source topic becomes read-only"));
    result = co_await source_mirrors_.set_read_only(mirror.source_topic, true, deadline);
    fenced = result.has_value();
  }
  if (result) {
    auto found = co_await source_ends(mirror.source_topic, deadline);
    if (found)
      ends = std::move(*found);
    else
      result = found.error();
  }
  if (result) result = all_mirrored(mirror, ends.size());
  if (result) result = co_await drain(topic, ends, progress, deadline);
  if (result && link_.spec.group_sync) result = co_await sync_groups(deadline);
  Result<PromotionRecord> record = Error(ErrorCode::kInternal);
  bool asked = false;
  if (result) {
    asked = true;
    EndOfTopic request;
    request.topic = target_topic(mirror);
    request.pumps = mirror.pumps;
    request.ends = ends;
    record = co_await end_topic(std::move(request), deadline);
    if (!record) result = record.error();
  }
  if (!result) {
    Result<bool> over = false;
    if (asked) over = co_await find_end(topic, env_.in(seconds(10)));
    if (over && *over) {  // only the answer was lost
      api::VerbProgress done = step(topic, "the mirror has ended; the topic is writable");
      done.set_done(true);
      *done.mutable_mirror() = *describe_mirror(topic);
      progress(std::move(done));
      co_return ok();
    }
    // Given up: as it was before. Where nobody knows whether the mirror has ended, the source stays read-only: two
    // sides that both take writes are worse than none. Asking again finds out.
    if (fenced && !over)
      result =
          result.error().in("the source stays read-only until it is known whether the mirror has ended; ask again");
    // Ended by a failover meanwhile: the target takes writes now, so the source must not.
    if (fenced && mirror.state == MirrorState::kStopped)
      result = result.error().in("the mirror was ended meanwhile; the source stays read-only");
    else if (fenced && over)
      (void)co_await source_mirrors_.set_read_only(mirror.source_topic, false, env_.in(seconds(10)));
    if (mirror.state == MirrorState::kPendingStopped) set_state(mirror, MirrorState::kActive, "");
    co_return result.error().in("promote of " + topic);
  }
  record->kind = PromotionKind::kPromote;
  // Whatever was written at the source behind the drained end stays there: said, not hidden.
  if (auto after = co_await source_ends(mirror.source_topic, deadline)) {
    for (auto& end : record->partitions)
      end.stranded_records = std::max<int64_t>(0, (*after)[end.partition] - ends[end.partition]);
  }
  ended(mirror, std::move(*record));
  api::VerbProgress done = step(topic, "the mirror has ended; the topic is writable");
  done.set_done(true);
  *done.mutable_mirror() = *describe_mirror(topic);
  done.set_rto_ms(std::max<int64_t>(1, std::chrono::duration_cast<milliseconds>(env_.now() - begun).count()));
  progress(std::move(done));
  co_return ok();
}

Task<Status> LinkController::verify(std::string topic, Verified verified, Deadline deadline) {
  if (!has_mirror(topic))
    co_return Error(ErrorCode::kNotFound, "link " + link_.spec.name + " has no mirror topic " + topic);
  const Mirror& mirror = mirrors_[topic];
  const auto partitions =
      static_cast<int32_t>(mirror.promotion ? mirror.promotion->partitions.size() : mirror.pumps.size());
  co_return co_await target_->verify(target_topic(mirror), partitions, source(), std::move(verified), deadline);
}

Task<Result<api::TranslateOffsetReply>> LinkController::translate(api::TranslateOffsetRequest request) {
  auto found = mirrors_.find(request.topic());
  if (found == mirrors_.end())
    co_return Error(ErrorCode::kNotFound, "link " + link_.spec.name + " has no mirror topic " + request.topic());
  const Mirror& mirror = found->second;
  int64_t end = -1;
  if (mirror.promotion) {
    for (const auto& p : mirror.promotion->partitions)
      if (p.partition == request.partition()) end = p.failover_offset.value();
  } else if (request.partition() >= 0 && static_cast<size_t>(request.partition()) < mirror.pumps.size()) {
    if (auto progress = replicator_.progress(mirror.pumps[static_cast<size_t>(request.partition())]))
      end = progress->pump.target_high_watermark.value();
  }
  if (end < 0)
    co_return Error(ErrorCode::kNotFound,
                    "topic " + request.topic() + " has no partition " + std::to_string(request.partition()));
  co_return co_await target_->translate(target_topic(mirror), std::move(request), SourceOffset(end));
}

}  // namespace farshore::linker
