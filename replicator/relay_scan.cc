#include "replicator/relay_scan.h"

#include <algorithm>

#include "replicator/relay_target.h"

namespace farshore::replicator {

namespace {

using Code = kafka::ErrorCode;

constexpr int32_t kResponseBytesMax = 4 << 20;
constexpr int64_t kMergedLengthMax = 1 << 29;  // well below what an anchor may reach
constexpr int16_t kFetchByName = 12;
constexpr Duration kPollMin = milliseconds(5), kPollMax = milliseconds(200);

}  // namespace

void ScanVisitor::on_response(const kafka::FetchResponse& head) {
  if (head.error_code != 0) error_code_ = head.error_code;
}

void ScanVisitor::on_partition(const kafka::FetchTopic&, const Partition& partition, size_t) {
  if (partition.error_code != 0) error_code_ = partition.error_code;
}

bool ScanVisitor::ours(int64_t producer) const {
  if (producer < 0) return false;
  if (producer == range_.owner.id) return true;
  return std::any_of(range_.anchors.begin(), range_.anchors.end(),
                     [&](const RelayAnchor& anchor) { return anchor.producer.id == producer; });
}

bool ScanVisitor::anchored_at(const BatchHeader& batch) const {
  return std::any_of(range_.anchors.begin(), range_.anchors.end(), [&](const RelayAnchor& anchor) {
    return anchor.producer == RelayProducer{batch.producer_id, batch.producer_epoch} &&
           anchor.sequence == batch.base_sequence;
  });
}

void ScanVisitor::add(const BatchHeader& batch) {
  SeenBatch seen;
  seen.producer = {batch.producer_id, batch.producer_epoch};
  seen.sequence = batch.base_sequence;
  seen.length = batch.last_offset_delta + 1;
  seen.base = TargetOffset(batch.base_offset);
  seen.epoch = LeadershipEpoch(batch.partition_leader_epoch);
  if (!scan_.seen.empty() && !anchored_at(batch)) {
    SeenBatch& last = scan_.seen.back();
    if (last.producer == seen.producer && last.epoch == seen.epoch && last.next() == seen.base &&
        sequence_after(last.sequence, last.length) == seen.sequence &&
        int64_t{last.length} + seen.length <= kMergedLengthMax) {
      last.length += seen.length;
      return;
    }
  }
  if (scan_.seen.size() >= kSeenMax) {
    bad_ = Error(ErrorCode::kResourceExhausted, "more than " + std::to_string(kSeenMax) + " pieces of ours to look at");
    return;
  }
  scan_.seen.push_back(seen);
}

void ScanVisitor::on_batches(BatchRun run) {
  for (const BatchHeader& batch : run.batches) {
    if (TargetOffset(batch.next().value()) <= scan_.to) continue;  // stands before the position asked for
    scan_.to = TargetOffset(batch.next().value());
    if (batch.producer_id == range_.owner.id && batch.producer_epoch > range_.owner.epoch) overtaken_ = true;
    if (!batch.control()) {
      if (ours(batch.producer_id)) add(batch);
      continue;
    }
    if (marker_seen_ || RelayProducer{batch.producer_id, batch.producer_epoch} != range_.owner) continue;
    marker_seen_ = true;
    scan_.marker = TargetOffset(batch.base_offset);
    scan_.epoch = LeadershipEpoch(batch.partition_leader_epoch);
  }
}

Task<Result<RelayScan>> RelayTarget::scan(RelayScanRange range, Duration patience) {
  RelayScan scan;
  scan.from = scan.to = range.from;
  ScanVisitor visitor(range, scan);
  Deadline give_up = env_.in(patience);
  Duration poll = kPollMin;
  int failures = 0;
  for (;;) {
    if (scan.to >= range.to_min && (visitor.marker_seen() || !range.wait_for_marker)) co_return scan;
    if (give_up.passed(env_.now()))
      co_return Error(ErrorCode::kTimedOut, "the abort marker of this takeover does not appear in " + range.at.topic +
                                                "-" + std::to_string(range.at.partition) + " (read up to " +
                                                std::to_string(scan.to.value()) + ")");
    CO_TRY(kafka::Leader leader, co_await cluster_.leader(range.at, give_up));
    auto client = co_await cluster_.broker(leader.broker, give_up);
    Status fetched = client ? ok() : Status(client.error());
    const TargetOffset before = scan.to;
    if (client) {
      kafka::FetchRequest request;
      request.max_wait_ms = 0;  // the connection is shared
      request.min_bytes = 0;
      request.max_bytes = kResponseBytesMax;
      auto& topic = request.topics.emplace_back();
      topic.topic = range.at.topic;
      topic.topic_id = leader.topic_id;
      auto& partition = topic.partitions.emplace_back();
      partition.partition = range.at.partition;
      partition.fetch_offset = scan.to.value();
      partition.partition_max_bytes = kResponseBytesMax;
      const int16_t version_max = leader.topic_id.is_zero() ? kFetchByName : kafka::Client::kNewest;
      visitor.begin_answer();
      fetched = co_await (*client)->fetch(std::move(request), slabs_, nullptr, visitor, attempt(give_up), version_max);
    }
    if (visitor.bad().code != ErrorCode::kNone) co_return visitor.bad().in("target " + range.at.topic);
    if (visitor.overtaken())
      co_return Error(ErrorCode::kFenced, "another gateway has taken the partition over meanwhile");
    if (scan.to > before) {
      give_up = env_.in(patience);
      poll = kPollMin;
      failures = 0;
      continue;
    }
    const auto code = static_cast<Code>(visitor.error_code());
    if (!fetched) {
      if (!error_retriable(fetched.error().code) && fetched.error().code != ErrorCode::kNotFound)
        co_return std::move(fetched).error();
      cluster_.forget_leader(range.at);
      CO_CHECK(co_await cluster_.pause(failures, give_up));
      ++failures;  // not in the line above: clang takes it for two changes at once
    } else if (code == Code::kOffsetOutOfRange) {
      CO_TRY(TargetEnds now, co_await ends(range.at, give_up));
      if (now.log_start <= scan.to) {
        CO_CHECK(co_await cluster_.pause(failures, give_up));  // a leader whose end we are ahead of, for now
        ++failures;
        continue;
      }
      // What was seen is older than what was deleted: it stands for nothing any more.
      scan.seen.clear();
      scan.from = scan.to = now.log_start;
    } else if (code != Code::kNone) {
      if (!kafka::error_retriable(code)) co_return kafka::to_error(code, "target topic " + range.at.topic);
      cluster_.forget_leader(range.at);
      CO_CHECK(co_await cluster_.pause(failures, give_up));
      ++failures;
    } else {  // at the high watermark
      co_await env_.sleep(poll);
      poll = std::min(poll * 2, kPollMax);
    }
  }
}

}  // namespace farshore::replicator
