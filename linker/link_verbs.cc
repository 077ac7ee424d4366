// Promote, failover, verify and translate of one link's mirror topics.
#include <algorithm>

#include "linker/link_controller.h"
#include "proto/kafka/messages/list_offsets.h"

namespace farshore::linker {
namespace {

constexpr Duration kPoll = milliseconds(50);
constexpr int32_t kVerifyRanges = 64;
constexpr int64_t kLatest = -1;

api::VerbProgress step(const std::string& topic, std::string text) {
  api::VerbProgress progress;
  progress.set_topic(topic);
  progress.set_step(std::move(text));
  return progress;
}

std::string hex(const kafka::Bytes& bytes) {
  static const char digits[] = "0123456789abcdef";
  std::string text;
  for (std::byte b : bytes) {
    text += digits[static_cast<unsigned>(b) >> 4];
    text += digits[static_cast<unsigned>(b) & 15];
  }
  return text;
}

}  // namespace

api::PromotionRecord LinkController::promotion_of(const MirrorAnswer& answer, const Mirror& mirror) const {
  api::PromotionRecord record;
  record.set_kind(answer.mirror_state == 1 ? "promote" : "failover");
  for (const auto& p : answer.partitions) {
    if (!p.promotion) continue;
    record.set_wall_ms(p.promotion->at_ms);
    auto& out = *record.add_partitions();
    out.set_partition(p.partition);
    out.set_failover_offset(p.promotion->offset);
    out.set_last_epoch(p.promotion->last_source_epoch);
    out.set_new_epoch(p.promotion->leadership_epoch);
    out.set_source_high_watermark(p.promotion->source_high_watermark);
    out.set_lost_at_least_records(p.promotion->lost_at_least_records);
    out.set_blind_window_ms(p.promotion->blind_window_ms);
    for (const auto& a : p.promotion->aborted)
      out.add_aborted_transactions("producer " + std::to_string(a.producer_id) + " epoch " +
                                   std::to_string(a.producer_epoch) + " from offset " + std::to_string(a.first_offset));
    // What this gateway saw of the source may be newer than what reached the target with the last append.
    if (static_cast<size_t>(p.partition) >= mirror.pumps.size()) continue;
    auto progress = replicator_.progress(mirror.pumps[static_cast<size_t>(p.partition)]);
    if (!progress || !progress->contact) continue;
    const int64_t seen = progress->pump.source.high_watermark.value();
    if (seen > out.source_high_watermark()) out.set_source_high_watermark(seen);
    out.set_lost_at_least_records(std::max<int64_t>(0, out.source_high_watermark() - out.failover_offset()));
    out.set_blind_window_ms(std::chrono::duration_cast<milliseconds>(env_.now() - progress->last_contact).count());
    if (out.lost_at_least_records() > 0)
      out.set_lost_at_least_ms(std::chrono::duration_cast<milliseconds>(progress->pump.lag).count());
  }
  return record;
}

Task<Status> LinkController::failover(std::string topic, bool dry_run, Progress progress, Deadline deadline) {
  const MonoTime begun = env_.now();
  if (!has_mirror(topic))
    co_return Error(ErrorCode::kNotFound, "link " + link_.spec.name + " has no mirror topic " + topic);
  Mirror& mirror = mirrors_[topic];
  if (mirror.state != MirrorState::kStopped && !may_follow(mirror.state, MirrorState::kStopped))
    co_return Error(ErrorCode::kInvalidArgument,
                    "mirror topic " + topic + " is " + std::string(name(mirror.state)) + ": there is no mirror to end");
  auto ended = co_await target_control_.end_mirror(link_.id, link_.epoch, mirror.id, std::nullopt, dry_run, deadline);
  if (!ended) co_return std::move(ended).error().in("failover of " + topic);
  api::VerbProgress done =
      step(topic, dry_run ? "would end the mirror now" : "the mirror has ended; the topic is writable");
  api::PromotionRecord record = promotion_of(*ended, mirror);
  if (!dry_run) {
    if (!mirror.promotion) mirror.promotion = record;
    stop_pumps(mirror);
    set_state(mirror, MirrorState::kStopped, record.kind());
  }
  done.set_done(true);
  *done.mutable_mirror() = *describe_mirror(topic);
  *done.mutable_mirror()->mutable_promotion() = mirror.promotion && !dry_run ? *mirror.promotion : record;
  done.set_rto_ms(std::max<int64_t>(1, std::chrono::duration_cast<milliseconds>(env_.now() - begun).count()));
  progress(std::move(done));
  co_return ok();
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
    CO_TRY(auto leader, co_await source_.client().leader(where, deadline));
    CO_TRY(auto broker, co_await source_.client().broker(leader.broker, deadline));
    kafka::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = source_topic;
    auto& asked = topic.partitions.emplace_back();
    asked.partition_index = partition;
    asked.timestamp = kLatest;
    CO_TRY(auto response, co_await broker->call(std::move(request), deadline));
    for (const auto& t : response.topics)
      for (const auto& p : t.partitions) {
        if (p.error_code != 0) co_return kafka::to_error(p.error_code, "end of " + source_topic);
        ends[p.partition_index] = p.offset;
      }
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
    if (missing == 0) co_return ok();
    if (missing != told) progress(step(topic, "draining: " + std::to_string(missing) + " records to go"));
    told = missing;
    if (deadline.passed(env_.now()))
      co_return Error(ErrorCode::kTimedOut, std::to_string(missing) + " records were not mirrored in time");
    if (mirrors_[topic].state != MirrorState::kPendingStopped)
      co_return Error(ErrorCode::kInvalidArgument,
                      "the mirror became " + std::string(name(mirrors_[topic].state)) + ": " + mirrors_[topic].reason);
    (void)co_await stopping_.wait(env_.in(kPoll));
    if (stopping_.is_set()) co_return Error(ErrorCode::kClosed, "the gateway is stopping");
  }
}

Task<Status> LinkController::promote(std::string topic, PromoteOptions options, Progress progress, Deadline deadline) {
  const MonoTime begun = env_.now();
  if (!has_mirror(topic))
    co_return Error(ErrorCode::kNotFound, "link " + link_.spec.name + " has no mirror topic " + topic);
  Mirror& mirror = mirrors_[topic];
  const bool again = mirror.state == MirrorState::kStopped;
  if (!again && !may_follow(mirror.state, MirrorState::kPendingStopped))
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
    result = co_await source_control_.set_read_only(mirror.source_topic, true, deadline);
    fenced = result.has_value();
  }
  if (result) {
    auto found = co_await source_ends(mirror.source_topic, deadline);
    if (found)
      ends = std::move(*found);
    else
      result = found.error();
  }
  if (result) result = co_await drain(topic, ends, progress, deadline);
  if (result && link_.spec.group_sync) result = co_await sync_groups(deadline);
  Result<MirrorAnswer> ended = Error(ErrorCode::kInternal);
  if (result) {
    ended = co_await target_control_.end_mirror(link_.id, link_.epoch, mirror.id, ends, false, deadline);
    if (!ended) result = ended.error();
  }
  if (!result) {
    // Given up: as it was before.
    if (fenced) (void)co_await source_control_.set_read_only(mirror.source_topic, false, env_.in(seconds(10)));
    if (mirror.state == MirrorState::kPendingStopped) set_state(mirror, MirrorState::kActive, "");
    co_return result.error().in("promote of " + topic);
  }
  api::PromotionRecord record = promotion_of(*ended, mirror);
  record.set_kind("promote");
  // Whatever was written at the source behind the drained end stays there: said, not hidden.
  if (auto after = co_await source_ends(mirror.source_topic, deadline)) {
    for (auto& p : *record.mutable_partitions())
      p.set_stranded_records(std::max<int64_t>(0, (*after)[p.partition()] - ends[p.partition()]));
  }
  mirror.promotion = record;
  stop_pumps(mirror);
  set_state(mirror, MirrorState::kStopped, "promote");
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
  if (!source_is_farshore_)
    co_return Error(ErrorCode::kUnsupported,
                    "verify compares digests that both ends compute; the source is Apache Kafka, "
                    "which computes none");
  Mirror& mirror = mirrors_[topic];
  const auto partitions =
      static_cast<int32_t>(mirror.promotion ? mirror.promotion->partitions_size() : mirror.pumps.size());
  CO_TRY(auto source, co_await source_control_.describe(mirror.source_topic, partitions, deadline));
  CO_TRY(auto target, co_await target_control_.describe(topic, partitions, deadline));
  for (int32_t p = 0; p < partitions; ++p) {
    const auto& s = source.partitions[static_cast<size_t>(p)];
    const auto& t = target.partitions[static_cast<size_t>(p)];
    const int64_t from = std::max(s.log_start_offset, t.log_start_offset);
    int64_t to = std::min(s.high_watermark, t.high_watermark);
    if (t.promotion) to = std::min(to, t.promotion->offset);
    api::VerifyProgress out;
    out.set_topic(topic);
    out.set_partition(p);
    out.set_from_offset(from);
    out.set_to_offset(to);
    out.set_first_difference(-1);
    // Bisection: the first range that differs is cut again, until it is one batch.
    int64_t low = from, high = to;
    bool equal = true;
    std::string source_digest, target_digest;
    for (int round = 0; low < high; ++round) {
      const int32_t ranges = round == 0 ? 1 : kVerifyRanges;
      CO_TRY(auto a, co_await source_control_.digest(mirror.source_topic, p, low, high, ranges, deadline));
      CO_TRY(auto b, co_await target_control_.digest(topic, p, low, high, ranges, deadline));
      const auto& as = a.partitions.front();
      const auto& bs = b.partitions.front();
      if (as.error_code != 0 || bs.error_code != 0) {
        out.set_error(as.error_code != 0 ? "source: " + as.error_message.value_or("")
                                         : "target: " + bs.error_message.value_or(""));
        break;
      }
      if (round == 0) {
        source_digest = as.digests.empty() ? "" : hex(as.digests.front().digest);
        target_digest = bs.digests.empty() ? "" : hex(bs.digests.front().digest);
        equal = as.digests == bs.digests;
        if (equal) break;
        continue;
      }
      size_t i = 0;
      while (i < as.digests.size() && i < bs.digests.size() && as.digests[i] == bs.digests[i]) ++i;
      if (i == as.digests.size() || i == bs.digests.size()) {
        out.set_first_difference(i == 0 ? low : as.digests[std::min(i, as.digests.size()) - 1].end_offset);
        break;
      }
      const int64_t next_low = std::min(as.digests[i].offset, bs.digests[i].offset);
      const int64_t next_high = std::max(as.digests[i].end_offset, bs.digests[i].end_offset);
      out.set_first_difference(next_low);
      if (as.digests[i].batches <= 1 || (next_low == low && next_high == high)) break;
      low = next_low;
      high = next_high;
    }
    out.set_done(true);
    out.set_equal(equal && out.error().empty());
    out.set_source_digest(source_digest);
    out.set_target_digest(target_digest);
    verified(std::move(out));
  }
  co_return ok();
}

Result<api::TranslateOffsetReply> LinkController::translate(const api::TranslateOffsetRequest& request) const {
  auto found = mirrors_.find(request.topic());
  if (found == mirrors_.end())
    return Error(ErrorCode::kNotFound, "link " + link_.spec.name + " has no mirror topic " + request.topic());
  const Mirror& mirror = found->second;
  int64_t end = -1;
  if (mirror.promotion) {
    for (const auto& p : mirror.promotion->partitions())
      if (p.partition() == request.partition()) end = p.failover_offset();
  } else if (request.partition() >= 0 && static_cast<size_t>(request.partition()) < mirror.pumps.size()) {
    if (auto progress = replicator_.progress(mirror.pumps[static_cast<size_t>(request.partition())]))
      end = progress->pump.target_high_watermark.value();
  }
  if (end < 0)
    return Error(ErrorCode::kNotFound,
                 "topic " + request.topic() + " has no partition " + std::to_string(request.partition()));
  if (request.offset() < 0 || request.offset() > end)
    return Error(ErrorCode::kOutOfRange, "offset " + std::to_string(request.offset()) +
                                             " is not mirrored: the mirror ends at " + std::to_string(end));
  api::TranslateOffsetReply reply;
  reply.set_source_offset(request.offset());
  reply.set_target_offset(request.offset());
  reply.set_epoch(request.has_epoch() ? request.epoch() : -1);
  reply.set_exact(true);
  reply.set_note(request.offset() == end ? "the mirror's end: the next record" : "a mirror keeps offsets");
  return reply;
}

}  // namespace farshore::linker
