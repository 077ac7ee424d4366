#include "offsets/client/target/internal/translation_image.h"

#include <algorithm>
#include <utility>

#include "offsets/translation/anchor.h"

namespace farshore::client {
namespace {

constexpr Duration kStep = seconds(5);  // one answer of the target may take so long, whatever the call's deadline
constexpr int kEmptyTailAnswersMax = 3;

kafka::PartitionReaderOptions tail_options() {
  kafka::PartitionReaderOptions options;
  options.wait_max = Duration::zero();  // a tail is short: no connection of its own
  return options;
}

}  // namespace

TranslationImage::TranslationImage(Env& env, kafka::ClusterClient& target, SlabArena& arena, int32_t log_partition)
    : env_(env),
      target_(target),
      arena_(arena),
      log_partition_(log_partition),
      mutex_(env),
      store_(kv_),
      reader_(env, target, arena, log_partition, Offset(0)) {}
TranslationImage::~TranslationImage() = default;

// So that each step makes progress, however little time the caller has.
Deadline TranslationImage::step(Deadline deadline) const { return std::max(deadline, env_.in(kStep)); }

Task<Status> TranslationImage::take(TranslationRecord record) {
  const LinkPartition& key = std::visit([](const auto& each) -> const LinkPartition& { return each.key; }, record);
  if (tails_.erase(key) > 0) CO_CHECK(co_await store_.drop_unlogged(key));
  co_return co_await store_.apply(std::move(record));
}

Task<Status> TranslationImage::begin_again(Deadline deadline) {
  CO_CHECK(co_await store_.clear());
  tails_.clear();
  TopicPartition log{kTranslationTopic, log_partition_};
  CO_TRY(Offset start, co_await kafka::partition_offset(target_, std::move(log), kafka::OffsetOf::kLogStart, deadline));
  reader_.seek(start);
  co_return ok();
}

Task<Status> TranslationImage::catch_up(Offset end, Deadline deadline) {
  if (reader_.position() > end) CO_CHECK(co_await begin_again(step(deadline)));  // the log lost its end
  reader_.aim_at(end);
  for (int restarts = 0, steps = 0; !reader_.reached(); ++steps) {
    if (steps > 0 && deadline.passed(env_.now()))
      co_return Error(ErrorCode::kTimedOut, "the translation is read up to offset " +
                                                std::to_string(reader_.position().value()) + " of " +
                                                std::to_string(end.value()) + " in " + kTranslationTopic + "-" +
                                                std::to_string(log_partition_) + ": call again");
    const Offset before = reader_.position();
    auto read = co_await reader_.next(step(deadline));
    if (!read && read.error() == ErrorCode::kOutOfRange && restarts++ == 0) {  // its beginning was deleted
      CO_CHECK(co_await begin_again(step(deadline)));
      continue;
    }
    if (!read) co_return std::move(read).error();
    auto applied = co_await reader_.apply(*read, *this);
    if (!applied) {
      reader_.seek(before);
      co_return std::move(applied).error();
    }
  }
  co_return ok();
}

Task<Status> TranslationImage::begin_tail(LinkPartition key) {
  CO_CHECK(co_await store_.drop_unlogged(key));
  CO_TRY(offsets::Claims claims, co_await store_.claims(key));
  Tail tail;
  tail.logged_end = claims.last_run ? claims.last_run->target_end() : TargetOffset(0);
  if (!claims.anchors.empty()) {
    const TargetOffset from = std::max(lowest_target(claims.anchors), tail.logged_end);
    tail.seen = Offset(from.value());
  }
  tail.anchors = std::move(claims.anchors);
  tails_.insert_or_assign(key, std::move(tail));
  co_return ok();
}

Task<Status> TranslationImage::place(Tail& tail, LinkPartition key, const BatchHeader& header) {
  if (header.control()) co_return ok();
  RelayedBatch batch;
  batch.producer = {header.producer_id, header.producer_epoch};
  batch.sequence = header.base_sequence;
  batch.length = header.last_offset_delta + int64_t{1};
  batch.base = TargetOffset(header.base_offset);
  auto placed = place_batch(tail.anchors, batch);
  if (!placed) co_return ok();  // another producer's
  cut_below(placed->run, tail.logged_end);
  if (placed->run.length == 0 || (tail.open && extend_run(*tail.open, placed->run))) co_return ok();
  if (tail.open) CO_CHECK(co_await store_.put_unlogged(key, *tail.open, tail.logged_end));
  tail.open = placed->run;
  co_return ok();
}

Task<Status> TranslationImage::catch_up_tail(TopicPartition at, LinkPartition key, Offset end, Deadline deadline) {
  auto known = tails_.find(key);
  if (known == tails_.end() || known->second.seen > end) {  // new, or the partition lost its end
    CO_CHECK(co_await begin_tail(key));
    known = tails_.find(key);
  }
  Tail& tail = known->second;
  if (tail.anchors.empty() || tail.seen >= end) co_return ok();
  kafka::PartitionReader reader(env_, target_, arena_, at, tail.seen, tail_options());
  for (int empty = 0, steps = 0; tail.seen < end && empty < kEmptyTailAnswersMax; ++steps) {
    if (steps > 0 && deadline.passed(env_.now()))
      co_return Error(ErrorCode::kTimedOut, at.topic + "-" + std::to_string(at.partition) + " is read up to offset " +
                                                std::to_string(tail.seen.value()) + " of " +
                                                std::to_string(end.value()) + ": call again");
    auto read = co_await reader.next(step(deadline));
    if (!read && read.error() == ErrorCode::kOutOfRange) {  // the target deleted its oldest records meanwhile
      CO_TRY(Offset start, co_await kafka::partition_offset(target_, at, kafka::OffsetOf::kLogStart, step(deadline)));
      if (start <= tail.seen) co_return std::move(read).error();
      tail.seen = start;
      reader.seek(start);
      continue;
    }
    if (!read) co_return std::move(read).error();
    if (read->run.empty()) {  // a new leader may not show the end yet
      CO_CHECK(co_await target_.pause(empty, step(deadline)));
      ++empty;
      continue;
    }
    empty = 0;
    for (const BatchHeader& header : read->run.batches) {
      if (header.next() > end) {  // appended after the end was asked for: perhaps the log does not explain it yet
        tail.seen = end;
        break;
      }
      if (header.next() <= tail.seen) continue;
      CO_CHECK(co_await place(tail, key, header));
      tail.seen = header.next();
    }
    if (tail.open) CO_CHECK(co_await store_.put_unlogged(key, *tail.open, tail.logged_end));
  }
  co_return ok();
}

}  // namespace farshore::client
