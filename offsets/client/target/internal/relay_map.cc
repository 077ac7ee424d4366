#include "offsets/client/target/internal/relay_map.h"

#include <algorithm>

#include "offsets/translation/anchor.h"
#include "proto/batch/records.h"
#include "proto/link/keys.h"
#include "proto/link/relay_topic.h"

namespace farshore::client {
namespace {

constexpr int kEmptyReadsMax = 3;  // reads below the end without a record: compaction left a hole

// Reads up to `end` and calls `apply` with each read. Also ends if the log has become shorter.
template <class Apply>
Task<Status> read_to(kafka::PartitionReader& reader, Offset end, Apply apply, Deadline deadline) {
  for (int empty = 0; reader.position() < end && empty < kEmptyReadsMax;) {
    CO_TRY(auto read, co_await reader.next(deadline));
    empty = read.run.empty() ? empty + 1 : 0;
    CO_CHECK(co_await apply(read));
  }
  co_return ok();
}

}  // namespace

Result<RelayedTopic> parse_relayed_topic(std::string_view key, std::string_view text) {
  const LinkKey stored_as = parse_link_key(key);
  if (stored_as.kind != LinkKey::Kind::kRelayTopic) return Error(ErrorCode::kCorrupt, "no relayed topic");
  auto stored = decode_relay_topic(text);
  if (!stored && stored.error() == ErrorCode::kUnsupported)
    return Error(ErrorCode::kUnsupported,
                 std::string(key) + " in " + kLinksTopic + " was written by a later Farshore: use its libfarshore");
  if (!stored) return std::move(stored).error().in(std::string(key) + " in " + kLinksTopic);
  RelayedTopic out;
  out.link = stored_as.link;
  out.topic = stored_as.child;
  out.source_topic = stored->source_topic;
  out.key.link = stored->link;
  out.key.source_topic = stored->source_id;
  out.partitions = stored->partitions;
  out.ended = stored->promotion.has_value();
  if (!out.ended) return out;
  out.promoted = stored->promotion->kind == PromotionKind::kPromote;
  for (const auto& end : stored->promotion->partitions)
    out.ends[end.partition] = {end.failover_offset.value(), end.failover_target_offset.value()};
  return out;
}

RelayMap::RelayMap(Env& env, kafka::ClusterClient& target) : env_(env), target_(target), store_(kv_), image_(store_) {}
RelayMap::~RelayMap() = default;

Status RelayMap::apply_links(const BatchHeader& header, const SliceList& bytes, size_t begin) {
  if (header.control()) return ok();
  FARSHORE_TRY(auto records, RecordReader::open(header, bytes, begin));
  Record record;
  for (;;) {
    FARSHORE_TRY(bool more, records.next(record));
    if (!more) return ok();
    if (!record.key) continue;
    if (record.value)
      links_[std::string(*record.key)] = std::string(*record.value);
    else
      links_.erase(std::string(*record.key));
  }
}

Task<Status> RelayMap::read_links(Deadline deadline) {
  TopicPartition links{kLinksTopic, 0};
  auto end = co_await kafka::partition_offset(target_, links, kafka::OffsetOf::kEnd, deadline);
  if (!end && end.error() == ErrorCode::kNotFound)
    co_return Error(ErrorCode::kNotFound,
                    "the target has no topic " + std::string(kLinksTopic) + ": no relay link was ever made to it");
  if (!end) co_return std::move(end).error();
  if (!links_reader_ || links_reader_->position() > *end) {
    links_.clear();
    links_reader_ = std::make_unique<kafka::PartitionReader>(env_, target_, arena_, links, Offset(0));
  }
  auto apply = [this](const kafka::PartitionRead& read) -> Task<Status> {
    size_t begin = 0;
    for (const BatchHeader& header : read.run.batches) {
      CO_CHECK(apply_links(header, read.run.bytes, begin));
      begin += header.size_bytes();
    }
    co_return ok();
  };
  auto done = co_await read_to(*links_reader_, *end, apply, deadline);
  if (!done) links_reader_.reset();
  co_return done;
}

Result<RelayedTopic> RelayMap::find(const RelayQuestion& question) const {
  std::optional<RelayedTopic> found;
  for (const auto& [key, value] : links_) {
    if (parse_link_key(key).kind != LinkKey::Kind::kRelayTopic) continue;
    FARSHORE_TRY(RelayedTopic each, parse_relayed_topic(key, value));
    const bool named = question.direction == RelayDirection::kToTarget ? each.source_topic == question.topic
                                                                       : each.topic == question.topic;
    if (!named || (!question.link.empty() && each.link != question.link)) continue;
    if (found)
      return Error(ErrorCode::kConflict, "the links " + found->link + " and " + each.link + " both relay " +
                                             question.topic + ": say which one is meant");
    found = std::move(each);
  }
  if (!found)
    return Error(ErrorCode::kNotFound, question.link.empty()
                                           ? "no relay link of this target has a topic " + question.topic
                                           : "link " + question.link + " has no topic " + question.topic);
  if (question.partition < 0 || question.partition >= found->partitions)
    return Error(ErrorCode::kNotFound, question.topic + " has partitions 0 to " +
                                           std::to_string(found->partitions - 1) + ", not " +
                                           std::to_string(question.partition));
  return *found;
}

Task<Result<std::map<std::string, RelayedTopic>>> RelayMap::topics(Deadline deadline) {
  std::map<std::string, RelayedTopic> out;
  auto read = co_await read_links(deadline);
  if (!read && read.error() == ErrorCode::kNotFound) co_return out;
  if (!read) co_return std::move(read).error();
  for (const auto& [key, value] : links_) {
    if (parse_link_key(key).kind != LinkKey::Kind::kRelayTopic) continue;
    CO_TRY(RelayedTopic each, parse_relayed_topic(key, value));
    auto found = out.find(each.topic);
    if (found == out.end() || found->second.ended) out[each.topic] = std::move(each);
  }
  co_return out;
}

Task<Status> RelayMap::read_log(int32_t partition, Deadline deadline) {
  TopicPartition where{kTranslationTopic, partition};
  CO_TRY(Offset end, co_await kafka::partition_offset(target_, where, kafka::OffsetOf::kEnd, deadline));
  auto& reader = logs_[partition];
  if (reader && reader->position() > end) {  // the log lost its end: read all of it again
    CO_CHECK(co_await store_.clear());
    for (auto& [index, each] : logs_) each.reset();
  }
  if (!reader) reader = std::make_unique<TranslationLogReader>(env_, target_, arena_, partition, Offset(0));
  auto done = co_await reader->read_to(end, image_, deadline);
  if (!done) reader.reset();  // the next read begins at the start: applying a record twice changes nothing
  co_return done;
}

Task<Status> RelayMap::read_tail(TopicPartition at, LinkPartition key, Offset end, Deadline deadline) {
  CO_TRY(offsets::Claims claims, co_await store_.claims(key));
  if (claims.anchors.empty()) co_return ok();
  const TargetOffset logged_end = claims.last_run ? claims.last_run->target_end() : TargetOffset(0);
  const TargetOffset from = std::max(lowest_target(claims.anchors), logged_end);
  if (from.value() >= end.value()) co_return ok();
  CO_TRY(Offset start, co_await kafka::partition_offset(target_, at, kafka::OffsetOf::kLogStart, deadline));
  kafka::PartitionReader reader(env_, target_, arena_, at, std::max(start, Offset(from.value())));
  std::optional<TranslationRun> open;
  auto apply = [&](const kafka::PartitionRead& read) -> Task<Status> {
    for (const BatchHeader& header : read.run.batches) {
      if (header.control() || header.next() > end) continue;
      RelayedBatch batch;
      batch.producer = {header.producer_id, header.producer_epoch};
      batch.sequence = header.base_sequence;
      batch.length = header.last_offset_delta + int64_t{1};
      batch.base = TargetOffset(header.base_offset);
      auto placed = place_batch(claims.anchors, batch);
      if (!placed) continue;  // another producer's
      cut_below(placed->run, logged_end);
      if (placed->run.length == 0 || (open && extend_run(*open, placed->run))) continue;
      if (open) CO_CHECK(co_await store_.put_unlogged(key, *open, logged_end));
      open = placed->run;
    }
    co_return ok();
  };
  CO_CHECK(co_await read_to(reader, end, apply, deadline));
  if (open) CO_CHECK(co_await store_.put_unlogged(key, *open, logged_end));
  co_return ok();
}

Task<Result<RelayAnswer>> RelayMap::ask(RelayQuestion question, Deadline deadline) {
  limit_ = -1;
  ended_ = false;
  CO_CHECK(co_await read_links(deadline));
  CO_TRY(RelayedTopic topic, find(question));
  ended_ = topic.ended;
  LinkPartition key = topic.key;
  key.partition = PartitionId(question.partition);
  TopicPartition at{topic.topic, question.partition};
  // The partition's end is read before the log: an anchor is acknowledged before the batches that it explains. So the
  // log, which is read afterwards, explains every batch below this end.
  CO_TRY(Offset end, co_await kafka::partition_offset(target_, at, kafka::OffsetOf::kEnd, deadline));
  CO_CHECK(co_await store_.drop_unlogged(key));
  CO_CHECK(co_await read_log(translation_log_partition(key), deadline));
  CO_CHECK(co_await read_tail(std::move(at), key, end, deadline));
  CO_TRY(offsets::Claims claims, co_await store_.claims(key));
  const bool to_target = question.direction == RelayDirection::kToTarget;
  if (claims.last_run)
    limit_ = to_target ? claims.last_run->source_end().value() : claims.last_run->target_end().value();
  RelayAnswer answer;
  answer.topic = to_target ? topic.topic : topic.source_topic;
  answer.limit = limit_;
  answer.ended = ended_;
  if (to_target && question.below_is_first) {
    CO_TRY(auto first, co_await store_.runs(key, SourceOffset(0), 1));
    if (!first.empty() && SourceOffset(question.offset) < first.front().source) {
      answer.offset = first.front().target.value();
      answer.exact = false;
      co_return answer;
    }
  }
  if (to_target) {
    CO_TRY(auto translated, co_await store_.to_target(key, SourceOffset(question.offset), std::nullopt));
    answer.offset = translated.offset;
    answer.exact = translated.exact;
  } else {
    CO_TRY(auto translated, co_await store_.to_source(key, TargetOffset(question.offset)));
    answer.offset = translated.offset;
    answer.exact = translated.exact;
  }
  co_return answer;
}

}  // namespace farshore::client
