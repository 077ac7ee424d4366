#include "linker/relay/log_image.h"

namespace farshore::linker {
namespace {

TopicPartition partition_of_log(int32_t index) { return TopicPartition{kTranslationTopic, index}; }

}  // namespace

struct LogImage::Partition {
  explicit Partition(Reactor& reactor) : turn(reactor) {}
  AsyncMutex turn;  // one reader at a time
  // Remembers the markers that went by: several keys have theirs in one partition, and who reads first reads the
  // others' too.
  std::optional<TranslationLogReader> reader;
  bool placed = false;      // the reader stands where the store was applied up to
  uint64_t generation = 0;  // of the store that the reader's position belongs to
};

// Puts the records of some keys into the store, and counts them.
class LogImage::Sink final : public TranslationLogSink {
 public:
  using Wanted = std::function<bool(const LinkPartition&, kafka::ProducerIdentity writer)>;
  Sink(LogImage& image, Wanted wanted) : image_(image), wanted_(std::move(wanted)) {}
  bool wants(const LinkPartition& key, kafka::ProducerIdentity writer) override { return wanted_(key, writer); }
  Task<Status> take(TranslationRecord record) override {
    CO_CHECK(co_await image_.store_.apply(std::move(record)));
    image_.records_read_.add();
    co_return ok();
  }

 private:
  LogImage& image_;
  const Wanted wanted_;
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
    TopicPartition where = partition_of_log(index);
    CO_TRY(auto found,
           co_await kafka::partition_epoch_end(cluster_, std::move(where), LogEpoch(to.leader_epoch), deadline));
    there = found.end.value() >= to.next_offset;
  }
  if (there) co_return ok();
  co_return co_await throw_away("partition " + std::to_string(index) + " of the log ends below offset " +
                                std::to_string(to.next_offset) + ", which was applied");
}

Task<Result<Offset>> LogImage::offset_of(int32_t index, kafka::OffsetOf which, Deadline deadline) {
  TopicPartition where = partition_of_log(index);
  co_return co_await kafka::partition_offset(cluster_, std::move(where), which, deadline);
}

Task<Status> LogImage::apply(Partition& partition, int32_t index, kafka::PartitionRead read) {
  const uint64_t generation = partition.generation;
  auto guard = co_await applying_.lock();
  if (generation != generation_) co_return ok();  // emptied meanwhile: the caller begins anew
  Sink sink(*this,
            [this](const LinkPartition& key, kafka::ProducerIdentity writer) { return !written_here_(key, writer); });
  CO_CHECK(co_await partition.reader->apply(read, sink));
  if (read.run.empty() || lacking_()) co_return ok();
  offsets::AppliedTo to;
  to.next_offset = read.run.next().value();
  to.leader_epoch = read.run.batches.back().partition_leader_epoch;
  co_return co_await store_.set_applied(index, to);
}

Task<Status> LogImage::read_key(LinkPartition key, Done done, Deadline deadline) {
  const int32_t index = translation_log_partition(key);
  std::shared_ptr<Partition> log = partition(index);
  auto guard = co_await log->turn.lock();
  CO_TRY(Offset start, co_await offset_of(index, kafka::OffsetOf::kLogStart, deadline));
  CO_TRY(Offset end, co_await offset_of(index, kafka::OffsetOf::kEnd, deadline));
  TranslationLogReader reader(env_, cluster_, arena_, index, start);
  Sink sink(*this, [key](const LinkPartition& each, kafka::ProducerIdentity) { return each == key; });
  CO_CHECK(co_await reader.read_to(end, sink, deadline));
  if (done) done();
  co_return ok();
}

Task<Status> LogImage::read_to_marker(int32_t index, kafka::ProducerIdentity owner, Deadline deadline) {
  return read(index, owner, deadline);
}

Task<Status> LogImage::read_to_end(int32_t index, Deadline deadline) { return read(index, std::nullopt, deadline); }

// Sets the reader to where the store was applied up to: at the first reading, after records that could not be applied,
// and whenever the store was emptied.
Task<Status> LogImage::place(Partition& log, int32_t index, Deadline deadline) {
  if (!log.placed) CO_CHECK(co_await verify(index, deadline));
  const uint64_t generation = generation_;
  CO_TRY(auto all, co_await store_.applied());
  auto it = all.find(index);
  const Offset from(it == all.end() ? 0 : it->second.next_offset);
  if (!log.reader || log.generation != generation)
    log.reader.emplace(env_, cluster_, arena_, index, from);
  else
    log.reader->seek(from);
  log.placed = true;
  log.generation = generation;
  co_return ok();
}

// The log does not hold the reader's position. A log that was never read begins at its start; of any other, records
// that were applied are gone, or records that were not.
Task<Status> LogImage::below_log_start(TranslationLogReader& reader, int32_t index, Deadline deadline) {
  const Offset before = reader.position();
  CO_TRY(Offset start, co_await offset_of(index, kafka::OffsetOf::kLogStart, deadline));
  if (before == Offset(0)) {
    reader.seek(start);
    co_return ok();
  }
  co_return co_await throw_away("partition " + std::to_string(index) + " of the log does not hold offset " +
                                std::to_string(before.value()) + " any more");
}

Task<Status> LogImage::read(int32_t index, std::optional<kafka::ProducerIdentity> owner, Deadline deadline) {
  CO_CHECK(co_await open(deadline));
  std::shared_ptr<Partition> log = partition(index);
  auto guard = co_await log->turn.lock();
  bool aimed = false;
  for (;;) {
    if (!log->placed || log->generation != generation_) {
      CO_CHECK(co_await place(*log, index, deadline));
      aimed = false;
    }
    if (owner) {
      auto epoch = log->reader->marker_epoch(owner->id);
      if (epoch && *epoch > owner->epoch) co_return Error(ErrorCode::kFenced, "another gateway took over meanwhile");
      if (epoch && *epoch == owner->epoch) break;
    } else {
      if (!aimed) {
        CO_TRY(Offset end, co_await offset_of(index, kafka::OffsetOf::kEnd, deadline));
        log->reader->aim_at(end);
        aimed = true;
      }
      if (log->reader->reached()) break;
    }
    auto read = co_await log->reader->next(deadline);
    if (!read && read.error() == ErrorCode::kOutOfRange) {
      CO_CHECK(co_await below_log_start(*log->reader, index, deadline));
      continue;
    }
    if (!read) {
      if (log->generation != generation_) continue;
      co_return std::move(read).error();
    }
    auto applied = co_await apply(*log, index, std::move(*read));
    if (!applied) {
      log->placed = false;  // what was not applied is read again
      co_return std::move(applied).error();
    }
  }
  co_return ok();
}

}  // namespace farshore::linker
