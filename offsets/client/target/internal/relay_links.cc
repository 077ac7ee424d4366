#include "offsets/client/target/internal/relay_links.h"

#include <optional>
#include <utility>

#include "proto/batch/records.h"
#include "proto/link/keys.h"
#include "proto/link/relay_topic.h"

namespace farshore::client {
namespace {

constexpr int kEmptyAnswersMax = 3;  // answers below the end without a record: compaction left a hole

bool is_named(const RelayedTopic& topic, const RelayQuestion& question) {
  if (!question.link.empty() && topic.link != question.link) return false;
  if (question.direction == RelayDirection::kToSource) return topic.topic == question.topic;
  // Of an entry that cannot be read, only the name at the target is known: prefix + name at the source.
  return topic.unreadable.code != ErrorCode::kNone ? topic.topic.ends_with(question.topic)
                                                   : topic.source_topic == question.topic;
}

}  // namespace

RelayedTopic parse_relayed_topic(std::string_view key, std::string_view text) {
  const LinkKey stored_as = parse_link_key(key);
  RelayedTopic out;
  out.link = stored_as.link;
  out.topic = stored_as.child;
  auto stored = decode_relay_topic(text);
  if (!stored) {
    Error why = std::move(stored).error();
    // A value that this release does not know is what a later release may write.
    why.detail = std::string(key) + " in " + kLinksTopic +
                 " cannot be read: it was written by a later Farshore, or is damaged (use the libfarshore of the "
                 "gateway's release): " +
                 why.detail;
    why.code = ErrorCode::kUnsupported;
    out.unreadable = std::move(why);
    return out;
  }
  out.source_topic = stored->source_topic;
  out.key.link = stored->link;
  out.key.source_topic = stored->source_id;
  out.partitions = stored->partitions;
  out.ended = stored->promotion.has_value();
  if (!out.ended) return out;
  out.promoted = stored->promotion->kind == PromotionKind::kPromote;
  for (const auto& end : stored->promotion->partitions)
    if (end.state == EndState::kDone)  // of the others no end is known
      out.ends[end.partition] = {end.failover_offset.value(), end.failover_target_offset.value()};
  return out;
}

RelayLinks::RelayLinks(Env& env, kafka::ClusterClient& target, SlabArena& arena)
    : env_(env), target_(target), arena_(arena), reading_(env) {}

Status RelayLinks::apply(const BatchHeader& header, const SliceList& bytes, size_t begin) {
  if (header.control()) return ok();
  FARSHORE_TRY(auto records, RecordReader::open(header, bytes, begin));
  Record record;
  for (;;) {
    FARSHORE_TRY(bool more, records.next(record));
    if (!more) return ok();
    if (!record.key || parse_link_key(*record.key).kind != LinkKey::Kind::kRelayTopic) continue;
    std::string key(*record.key);
    if (record.value)
      topics_[key] = parse_relayed_topic(key, *record.value);
    else
      topics_.erase(key);
  }
}

Task<Status> RelayLinks::read(Deadline deadline) {
  CO_TRY(auto guard, co_await reading_.lock(deadline));
  co_return co_await read_locked(deadline);
}

Task<Status> RelayLinks::read_locked(Deadline deadline) {
  TopicPartition links{kLinksTopic, 0};
  auto end = co_await kafka::partition_offset(target_, links, kafka::OffsetOf::kEnd, deadline);
  if (!end && end.error() == ErrorCode::kNotFound)
    co_return Error(ErrorCode::kNotFound,
                    "the target has no topic " + std::string(kLinksTopic) + ": no relay link was ever made to it");
  if (!end) co_return std::move(end).error();
  if (!reader_ || reader_->position() > *end) {  // the log lost its end: read all of it again
    topics_.clear();
    reader_ = std::make_unique<kafka::PartitionReader>(env_, target_, arena_, links, Offset(0));
  }
  for (int empty = 0; reader_->position() < *end && empty < kEmptyAnswersMax;) {
    const Offset before = reader_->position();
    auto read = co_await reader_->next(deadline);
    if (!read && read.error() == ErrorCode::kOutOfRange) {  // its beginning was deleted
      topics_.clear();
      CO_TRY(Offset start, co_await kafka::partition_offset(target_, links, kafka::OffsetOf::kLogStart, deadline));
      reader_->seek(start);
      if (start == before) co_return std::move(read).error();
      continue;
    }
    if (!read) co_return std::move(read).error();
    empty = read->run.empty() ? empty + 1 : 0;
    size_t begin = 0;
    for (const BatchHeader& header : read->run.batches) {
      auto applied = apply(header, read->run.bytes, begin);
      if (!applied) reader_->seek(before);
      CO_CHECK(std::move(applied));
      begin += header.size_bytes();
    }
  }
  co_return ok();
}

Result<RelayedTopic> RelayLinks::find(const RelayQuestion& question) const {
  std::optional<RelayedTopic> found;
  const RelayedTopic* unreadable = nullptr;
  for (const auto& [key, each] : topics_) {
    if (!is_named(each, question)) continue;
    if (each.unreadable.code != ErrorCode::kNone) {
      unreadable = &each;
      continue;
    }
    if (found)
      return Error(ErrorCode::kInvalidArgument, "the links " + found->link + " and " + each.link + " both relay " +
                                                    question.topic + ": say which one is meant");
    found = each;
  }
  if (!found && unreadable) return unreadable->unreadable;
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

std::map<std::string, RelayedTopic> RelayLinks::topics() const {
  std::map<std::string, RelayedTopic> out;
  for (const auto& [key, each] : topics_) {
    auto found = out.find(each.topic);
    if (found == out.end() || found->second.ended) out[each.topic] = each;
  }
  return out;
}

}  // namespace farshore::client
