#include "linker/relay/log_image.h"

#include "proto/batch/records.h"

namespace farshore::linker {
namespace {

constexpr int kEmptyReadsMax = 3;  // below the end, and nothing comes: a hole that compaction left

TopicPartition log_partition(int32_t index) { return TopicPartition{kTranslationTopic, index}; }

}  // namespace

struct LogImage::Partition {
  explicit Partition(Reactor& reactor) : turn(reactor) {}
  AsyncMutex turn;  // one reader at a time
  std::unique_ptr<kafka::PartitionReader> reader;
  uint64_t generation = 0;  // of the store that the reader's position belongs to
  // Markers that went by: several keys have theirs in one partition, and who reads first reads the others' too.
  std::map<int64_t, int16_t> markers;
};

LogImage::LogImage(Env& env, kafka::ClusterClient& cluster, offsets::TranslationStore& store, Written written_here,
                   Lacking lacking)
    : env_(env),
      cluster_(cluster),
      store_(store),
      written_here_(std::move(written_here)),
      lacking_(std::move(lacking)),
      records_read_(env.metrics().counter("farshore_gateway_translation_records_read_total",
                                          "Records of __farshore_offsets that were read into the local image: all of "
                                          "them at a start without --data, those since the last start with it.")),
      opening_(env),
      applying_(env) {}

LogImage::~LogImage() = default;

std::shared_ptr<LogImage::Partition> LogImage::partition(int32_t index) {
  auto& found = partitions_[index];
  if (!found) found = std::make_shared<Partition>(env_);
  return found;
}

Task<Status> LogImage::open(Deadline deadline) {
  if (!identity_.empty()) co_return ok();
  auto guard = co_await opening_.lock();
  if (!identity_.empty()) co_return ok();
  CO_TRY(auto topic,
         co_await kafka::ensure_compacted_topic(cluster_, kTranslationTopic, kTranslationLogPartitions, deadline));
  const std::string identity = topic.cluster_id + "/" + topic.id.to_string();
  auto known = co_await store_.log_identity();
  if (!known || *known != identity) {
    if (known && !known->empty()) {
      CO_CHECK(co_await throw_away("it is the image of another log, " + *known));
    } else if (!known) {
      CO_CHECK(co_await throw_away(known.error().to_string()));
    }
    CO_CHECK(co_await store_.set_log_identity(identity));
  }
  identity_ = identity;
  co_return ok();
}

Task<Status> LogImage::throw_away(std::string why) {
  env_.log().warn("offset translation: the local image is rebuilt from the target", {{"why", why}});
  auto guard = co_await applying_.lock();
  ++generation_;
  const std::string identity = identity_;
  CO_CHECK(co_await store_.clear());
  if (!identity.empty()) CO_CHECK(co_await store_.set_log_identity(identity));
  co_return ok();
}

// Whether the log still holds what was applied: the epoch of the last batch must not end below it.
Task<Status> LogImage::verify(int32_t index, Deadline deadline) {
  CO_TRY(auto all, co_await store_.applied());
  auto it = all.find(index);
  if (it == all.end()) co_return ok();
  const offsets::AppliedTo to = it->second;
  CO_TRY(Offset end, co_await offset_of(index, kafka::OffsetOf::kEnd, deadline));
  bool there = end.value() >= to.next_offset;
  if (there && to.leader_epoch >= 0) {
    TopicPartition where = log_partition(index);
    CO_TRY(auto found,
           co_await kafka::partition_epoch_end(cluster_, std::move(where), LogEpoch(to.leader_epoch), deadline));
    there = found.end.value() >= to.next_offset;
  }
  if (there) co_return ok();
  co_return co_await throw_away("partition " + std::to_string(index) + " of the log ends below offset " +
                                std::to_string(to.next_offset) + ", which was applied");
}

Task<Result<Offset>> LogImage::offset_of(int32_t index, kafka::OffsetOf which, Deadline deadline) {
  TopicPartition where = log_partition(index);
  co_return co_await kafka::partition_offset(cluster_, std::move(where), which, deadline);
}

Task<Status> LogImage::apply_records(const kafka::PartitionRead& read, size_t batch, size_t begin, int32_t index,
                                     std::function<bool(const TranslationKey&)> wanted) {
  CO_TRY(auto records, RecordReader::open(read.run.batches[batch], read.run.bytes, begin));
  for (Record record;;) {
    CO_TRY(bool more, records.next(record));
    if (!more) break;
    if (!record.key) continue;  // not ours: a compacted topic has none
    auto decoded = decode_translation(*record.key, record.value);
    if (!decoded) {
      co_return std::move(decoded).error().in(std::string(kTranslationTopic) + "-" + std::to_string(index) +
                                              " offset " + std::to_string(record.offset.value()));
    }
    const TranslationKey& key =
        std::visit([](const auto& each) -> const TranslationKey& { return each.key; }, *decoded);
    if (!wanted(key)) continue;
    CO_CHECK(co_await store_.apply(std::move(*decoded)));
    records_read_.add();
  }
  co_return ok();
}

Task<Status> LogImage::apply(Partition& partition, int32_t index, kafka::PartitionRead read, uint64_t generation) {
  auto guard = co_await applying_.lock();
  if (generation != generation_) co_return ok();  // emptied meanwhile: the caller begins anew
  size_t begin = 0;
  for (size_t i = 0; i < read.run.batches.size(); ++i) {
    const BatchHeader& header = read.run.batches[i];
    const size_t at = begin;
    begin += header.size_bytes();
    if (header.control()) {
      auto& epoch = partition.markers.try_emplace(header.producer_id, int16_t{-1}).first->second;
      epoch = std::max(epoch, header.producer_epoch);
      continue;
    }
    auto wanted = [this](const TranslationKey& key) { return !written_here_(key); };
    CO_CHECK(co_await apply_records(read, i, at, index, wanted));
  }
  if (read.run.empty() || lacking_()) co_return ok();
  offsets::AppliedTo to;
  to.next_offset = read.run.next().value();
  to.leader_epoch = read.run.batches.back().partition_leader_epoch;
  co_return co_await store_.set_applied(index, to);
}

Task<Status> LogImage::read_key(TranslationKey key, Deadline deadline) {
  const int32_t index = translation_log_partition(key);
  CO_TRY(Offset start, co_await offset_of(index, kafka::OffsetOf::kLogStart, deadline));
  CO_TRY(Offset end, co_await offset_of(index, kafka::OffsetOf::kEnd, deadline));
  kafka::PartitionReader reader(env_, cluster_, arena_, log_partition(index), start);
  for (int empty = 0; reader.position() < end && empty < kEmptyReadsMax;) {
    CO_TRY(auto read, co_await reader.next(deadline));
    empty = read.run.empty() ? empty + 1 : 0;
    size_t begin = 0;
    for (size_t i = 0; i < read.run.batches.size(); ++i) {
      const size_t at = begin;
      begin += read.run.batches[i].size_bytes();
      if (read.run.batches[i].control()) continue;
      auto wanted = [&key](const TranslationKey& each) { return each == key; };
      CO_CHECK(co_await apply_records(read, i, at, index, wanted));
    }
  }
  co_return ok();
}

Task<Status> LogImage::read_to_marker(int32_t index, RelayProducer owner, Deadline deadline) {
  return read(index, owner, deadline);
}

Task<Status> LogImage::read_to_end(int32_t index, Deadline deadline) { return read(index, std::nullopt, deadline); }

Task<Status> LogImage::read(int32_t index, std::optional<RelayProducer> owner, Deadline deadline) {
  CO_CHECK(co_await open(deadline));
  std::shared_ptr<Partition> log = partition(index);
  auto guard = co_await log->turn.lock();
  int empty = 0;
  std::optional<Offset> end;
  for (;;) {
    if (!log->reader || log->generation != generation_) {
      // At the first reading, and whenever the store was emptied.
      if (!log->reader) CO_CHECK(co_await verify(index, deadline));
      const uint64_t generation = generation_;
      if (log->generation != generation) log->markers.clear();
      CO_TRY(auto all, co_await store_.applied());
      auto it = all.find(index);
      const Offset from(it == all.end() ? 0 : it->second.next_offset);
      log->reader = std::make_unique<kafka::PartitionReader>(env_, cluster_, arena_, log_partition(index), from);
      log->generation = generation;
      end.reset();
    }
    if (owner) {
      auto marker = log->markers.find(owner->id);
      if (marker != log->markers.end() && marker->second > owner->epoch)
        co_return Error(ErrorCode::kFenced, "another gateway took over meanwhile");
      if (marker != log->markers.end() && marker->second == owner->epoch) break;
    } else {
      if (!end) {
        CO_TRY(end, co_await offset_of(index, kafka::OffsetOf::kEnd, deadline));
      }
      if (log->reader->position() >= *end || empty >= kEmptyReadsMax) break;
    }
    const Offset before = log->reader->position();
    auto read = co_await log->reader->next(deadline);
    if (!read && read.error() == ErrorCode::kOutOfRange) {
      CO_TRY(Offset start, co_await offset_of(index, kafka::OffsetOf::kLogStart, deadline));
      if (before == Offset(0)) {
        log->reader->seek(start);
      } else {
        CO_CHECK(co_await throw_away("partition " + std::to_string(index) + " of the log does not hold offset " +
                                     std::to_string(before.value()) + " any more"));
      }
      continue;
    }
    if (!read) {
      if (log->generation != generation_) continue;
      co_return std::move(read).error();
    }
    empty = read->run.empty() ? empty + 1 : 0;
    const uint64_t generation = log->generation;
    auto applied = co_await apply(*log, index, std::move(*read), generation);
    if (!applied) {
      log->reader.reset();  // what was not applied is read again
      co_return std::move(applied).error();
    }
  }
  co_return ok();
}

}  // namespace farshore::linker
