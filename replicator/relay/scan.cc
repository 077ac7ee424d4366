#include "replicator/relay/scan.h"

#include <algorithm>
#include <optional>

#include "proto/kafka/client/partition_reader.h"

namespace farshore::replicator {

namespace {

constexpr int32_t kAnswerBytesMax = 1 << 20;   // of each takeover at once
constexpr int64_t kMergedLengthMax = 1 << 29;  // well below what an anchor may reach
constexpr size_t kSeenMax = 1 << 20;           // separate ranges of relayed batches
constexpr Duration kPollMin = milliseconds(5), kPollMax = milliseconds(200);

// Goes on from answer to answer.
class Collector {
 public:
  Collector(const RelayScanRange& range, RelayScan& scan) : range_(range), scan_(scan) {}

  bool marker_seen() const { return marker_seen_; }
  Status take(const BatchRun& run);

 private:
  Status add(const BatchHeader& batch);
  bool ours(int64_t producer) const;
  bool anchored_at(const BatchHeader& batch) const;

  const RelayScanRange& range_;
  RelayScan& scan_;
  bool marker_seen_ = false;
};

bool Collector::ours(int64_t producer) const {
  if (producer < 0) return false;
  if (producer == range_.owner.id) return true;
  return std::any_of(range_.anchors.begin(), range_.anchors.end(),
                     [&](const RelayAnchor& anchor) { return anchor.producer.id == producer; });
}

bool Collector::anchored_at(const BatchHeader& batch) const {
  return std::any_of(range_.anchors.begin(), range_.anchors.end(), [&](const RelayAnchor& anchor) {
    return anchor.producer == kafka::ProducerIdentity{batch.producer_id, batch.producer_epoch} &&
           anchor.sequence == batch.base_sequence;
  });
}

Status Collector::add(const BatchHeader& batch) {
  RelayedBatch seen;
  seen.producer = {batch.producer_id, batch.producer_epoch};
  seen.sequence = batch.base_sequence;
  seen.length = batch.last_offset_delta + int64_t{1};
  seen.base = TargetOffset(batch.base_offset);
  seen.epoch = LeadershipEpoch(batch.partition_leader_epoch);
  if (!scan_.seen.empty() && !anchored_at(batch)) {
    RelayedBatch& last = scan_.seen.back();
    if (last.producer == seen.producer && last.epoch == seen.epoch && last.next() == seen.base &&
        sequence_after(last.sequence, last.length) == seen.sequence && last.length + seen.length <= kMergedLengthMax) {
      last.length += seen.length;
      return ok();
    }
  }
  if (scan_.seen.size() >= kSeenMax)
    return Error(ErrorCode::kResourceExhausted,
                 "more than " + std::to_string(kSeenMax) +
                     " separate ranges of relayed batches lie behind the last translation");
  scan_.seen.push_back(seen);
  return ok();
}

Status Collector::take(const BatchRun& run) {
  for (const BatchHeader& batch : run.batches) {
    if (TargetOffset(batch.next().value()) <= scan_.to) continue;  // stands before the position asked for
    scan_.to = TargetOffset(batch.next().value());
    if (batch.producer_id == range_.owner.id && batch.producer_epoch > range_.owner.epoch)
      return Error(ErrorCode::kFenced, "another gateway has taken the partition over meanwhile");
    if (!batch.control()) {
      if (ours(batch.producer_id)) {
        if (Status added = add(batch); !added) return added;
      }
      continue;
    }
    if (marker_seen_ || kafka::ProducerIdentity{batch.producer_id, batch.producer_epoch} != range_.owner) continue;
    marker_seen_ = true;
    scan_.marker = TargetOffset(batch.base_offset);
    scan_.epoch = LeadershipEpoch(batch.partition_leader_epoch);
  }
  return ok();
}

// The next batches from a position on: by looks, and from the first one that does not bring all by a reader of its own.
class TailReader {
 public:
  TailReader(const RelayScanTools& tools, TopicPartition at)
      : tools_(tools), at_(std::move(at)), slot_(tools.readers) {}

  Task<Result<kafka::PartitionRead>> next(Offset from, Deadline deadline) {
    if (!reader_) {
      auto read = co_await tools_.questions.look(at_, from, deadline);
      if (!read && read.error() != ErrorCode::kUnavailable) co_return read;
      const bool all = read && std::max(from, read->run.empty() ? from : read->run.next()) >= read->high_watermark;
      if (!all) {
        CO_CHECK(co_await slot_.enter(deadline));
        kafka::PartitionReaderOptions options;
        options.bytes_max = kAnswerBytesMax;
        options.wait_max = Duration::zero();  // many takeovers at once share a connection
        reader_.emplace(tools_.env, tools_.cluster, arena_, at_, from, options);
      }
      if (read && (all || !read->run.empty())) co_return read;
    }
    reader_->seek(from);
    co_return co_await reader_->next(deadline);
  }

 private:
  const RelayScanTools& tools_;
  const TopicPartition at_;
  SlabArena arena_;
  TakeoverSlots::Slot slot_;
  std::optional<kafka::PartitionReader> reader_;
};

}  // namespace

Task<Result<RelayScan>> scan_relayed(RelayScanTools tools, RelayScanRange range, Duration patience) {
  Env& env = tools.env;
  RelayScan scan;
  scan.from = scan.to = range.from;
  Collector collector(range, scan);
  const std::string where = "target " + range.at.topic + "-" + std::to_string(range.at.partition);
  TailReader reader(tools, range.at);
  Deadline give_up = env.in(patience);
  Duration poll = kPollMin;
  int failures = 0;
  while (scan.to < range.to_min || (range.wait_for_marker && !collector.marker_seen())) {
    if (give_up.passed(env.now()))
      co_return Error(ErrorCode::kTimedOut, "the transaction marker of this takeover did not appear (read to " +
                                                std::to_string(scan.to.value()) +
                                                "): does the target's transaction coordinator work?")
          .in(where);
    const TargetOffset before = scan.to;
    auto read = co_await reader.next(Offset(scan.to.value()), give_up);
    if (read) {
      if (Status taken = collector.take(read->run); !taken) co_return std::move(taken).error().in(where);
    } else if (read.error() == ErrorCode::kOutOfRange) {
      TopicPartition at = range.at;
      CO_TRY(Offset start,
             co_await kafka::partition_offset(tools.cluster, std::move(at), kafka::OffsetOf::kLogStart, give_up));
      if (TargetOffset(start.value()) <= scan.to) {  // a leader whose end we are ahead of, for now
        CO_CHECK(co_await tools.cluster.pause(failures, give_up));
        ++failures;  // not in the line above: clang takes it for two changes at once
        continue;
      }
      // What was seen is older than what was deleted: it stands for nothing any more.
      scan.seen.clear();
      scan.from = scan.to = TargetOffset(start.value());
    } else {
      co_return std::move(read).error();
    }
    if (scan.to > before) {
      give_up = env.in(patience);
      poll = kPollMin;
      failures = 0;
    } else {  // at the high watermark
      co_await env.sleep(poll);
      poll = std::min(poll * 2, kPollMax);
    }
  }
  co_return scan;
}

}  // namespace farshore::replicator
