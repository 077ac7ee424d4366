#include "linker/store/kafka_link_store.h"

#include <algorithm>

#include "proto/batch/records.h"
#include "proto/kafka/client/compacted_topic.h"
#include "proto/kafka/client/fence.h"
#include "proto/kafka/client/id_owner.h"

namespace farshore::linker {
namespace {

constexpr int kLostRacesMax = 5;
constexpr Duration kConfirmedFor = seconds(5);
constexpr Duration kLifetimeAskEvery = hours(1), kLifetimeDefault = hours(7 * 24);
constexpr int kEmptyReadsMax = 3;             // in a row, below the end: compaction has left a gap
constexpr Duration kStepLimit = seconds(10);  // of one answer while the topic is read, and of the steps behind that
constexpr size_t kPageEntriesMax = 1000, kPageBytesMax = 1 << 20;
// Of every 8 bytes, 7 are for the memories of groups, which are many. The rest is for what operators do: links can be
// paused, ended and made also when no group can be remembered any more.
constexpr size_t kGroupsShareOf8 = 7;

StoredEntry stored_entry(const std::string& key, const std::string& value, int64_t revision) {
  StoredEntry out;
  out.key = key;
  out.value = value;
  out.revision = revision;
  return out;
}

}  // namespace

KafkaLinkStore::KafkaLinkStore(Env& env, kafka::ClusterClient& cluster, KafkaLinkStoreOptions options)
    : env_(env), cluster_(cluster), options_(std::move(options)), name_(env.random().uuid().to_string()), turn_(env) {}

Error KafkaLinkStore::fenced() const {
  return Error(ErrorCode::kFenced, "another gateway controls the links of this target now (" +
                                       std::string(kLinksTopic) + "): stop one of the two gateways");
}

Status KafkaLinkStore::apply(const BatchHeader& header, const SliceList& bytes, size_t begin) {
  if (header.control()) {
    if (writer_ && header.producer_id == writer_->owner().id && header.producer_epoch > writer_->owner().epoch)
      fenced_ = true;
    return ok();
  }
  FARSHORE_TRY(auto records, RecordReader::open(header, bytes, begin));
  Record record;
  for (;;) {
    FARSHORE_TRY(bool more, records.next(record));
    if (!more) return ok();
    if (!record.key) continue;  // written by somebody else: a compacted topic needs keys
    std::string key(*record.key);
    if (key == kControllerKey) {
      controller_ = std::string(record.value.value_or(""));
      // A marker tells nothing where the target had forgotten our id: the other controller has another producer id.
      if (writer_ && controller_ != name_) fenced_ = true;
      continue;
    }
    std::optional<std::string> value;
    if (record.value) value = std::string(*record.value);
    remember(key, std::move(value), record.offset.value() + 1);  // whatever the limit: only writes are refused
  }
}

void KafkaLinkStore::remember(const std::string& key, std::optional<std::string> value, int64_t revision) {
  if (auto old = entries_.find(key); old != entries_.end()) {
    entries_bytes_ -= key.size() + old->second.value.size();
    entries_.erase(old);
  }
  if (!value) return;
  entries_bytes_ += key.size() + value->size();
  Entry& entry = entries_[key];
  entry.value = std::move(*value);
  entry.revision = revision;
}

Status KafkaLinkStore::check_room(const StoredEntry& entry) const {
  const size_t size = entry.value.empty() ? 0 : entry.key.size() + entry.value.size();
  const auto old = entries_.find(entry.key);
  const size_t before = old == entries_.end() ? 0 : entry.key.size() + old->second.value.size();
  if (size <= before) return ok();  // what deletes or shrinks leads out
  const bool group = parse_link_key(entry.key).kind == LinkKey::Kind::kGroupMemory;
  const size_t limit = group ? options_.entries_bytes_max / 8 * kGroupsShareOf8 : options_.entries_bytes_max;
  if (entries_bytes_ - before + size <= limit) return ok();
  return Error(ErrorCode::kResourceExhausted,
               "target: " + std::string(kLinksTopic) + " holds " + std::to_string(entries_bytes_) + " bytes of " +
                   std::to_string(limit) + " that are allowed, so " + entry.key +
                   " is not stored. Most of them are remembered offsets of groups: select fewer groups with "
                   "'farshore link update LINK --set groups=...', delete groups at the source, or delete a link");
}

Task<Status> KafkaLinkStore::take_control(Deadline deadline) {
  auto guard = co_await turn_.lock(deadline);
  if (!guard) co_return guard.error().in("target: stored links");
  if (fenced_) began_with_.reset();
  co_return co_await take_control_locked(deadline);
}

Task<Status> KafkaLinkStore::take_control_locked(Deadline deadline) {
  writer_.reset();
  fenced_ = false;
  CO_CHECK(co_await kafka::ensure_compacted_topic(cluster_, kLinksTopic, 1, deadline));
  // Another takeover, or a delayed request of our own earlier try, may come between our steps.
  for (int lost = 1;; ++lost) {
    auto taken = co_await try_to_take(deadline);
    if (taken) co_return ok();
    writer_.reset();
    if (fenced_) co_return fenced();
    if (taken.error() != ErrorCode::kFenced || lost == kLostRacesMax) {
      Error why = std::move(taken).error();
      if (why == ErrorCode::kFenced) why.code = ErrorCode::kUnavailable;  // no other controller has written its name
      co_return std::move(why).in("takeover of " + options_.transactional_id);
    }
    CO_CHECK(co_await cluster_.pause(lost, deadline));
  }
}

Task<Status> KafkaLinkStore::try_to_take(Deadline deadline) {
  const MonoTime began = env_.now();
  TopicPartition partition{kLinksTopic, 0};
  // From now on no takeover that began earlier can be completed. A controller that completed one is not fenced yet.
  CO_TRY(auto owner, co_await kafka::raise_epoch(cluster_, options_.transactional_id, deadline));
  // Read from the start each time: the cluster may have lost records that were read before.
  entries_.clear();
  entries_bytes_ = 0;
  controller_.clear();
  reader_ = std::make_unique<kafka::PartitionReader>(env_, cluster_, arena_, partition, Offset(0));
  CO_CHECK(co_await catch_up(deadline));
  // The topic may be of any size, so reading it may take longer than the caller expected.
  deadline = std::max(deadline, env_.in(kStepLimit));
  if (!began_with_) began_with_ = controller_;
  fenced_ = controller_ != *began_with_ && controller_ != name_;
  if (fenced_) co_return fenced();
  std::vector<TopicPartition> partitions{partition};
  CO_CHECK(co_await kafka::send_markers(cluster_, options_.transactional_id, owner, std::move(partitions), deadline));
  kafka::OnBatch on_batch = [this](const BatchHeader& header, const SliceList& bytes, size_t begin) {
    return apply(header, bytes, begin);
  };
  CO_CHECK(co_await kafka::find_marker(cluster_, *reader_, owner, std::move(on_batch), deadline));
  writer_ = std::make_unique<kafka::FencedWriter>(env_, cluster_, partition, owner);
  kafka::KeyedRecord record;
  record.key = kControllerKey;
  record.value = name_;
  std::vector<kafka::KeyedRecord> records;
  records.push_back(std::move(record));
  CO_CHECK(co_await writer_->append(std::move(records), deadline));
  began_with_ = controller_ = name_;
  confirmed_ = used_ = began;
  co_return ok();
}

Task<Status> KafkaLinkStore::ensure_control(Deadline deadline) {
  if (fenced_) co_return fenced();
  if (writer_ && writer_->usable()) co_return ok();
  co_return co_await take_control_locked(deadline);
}

// The fence is void once the target has forgotten the id (proto/kafka/client/id_owner.h): then we are not the
// controller.
Task<Status> KafkaLinkStore::confirm_control(Deadline deadline) {
  if (env_.now() - confirmed_ < kConfirmedFor) co_return ok();
  const MonoTime asked = env_.now();
  std::vector<std::string> ids{options_.transactional_id};
  auto owners = co_await kafka::id_owners(cluster_, std::move(ids), deadline);
  if (!owners && owners.error() != ErrorCode::kUnsupported) co_return std::move(owners).error();
  if (owners) {
    auto owner = owners->find(options_.transactional_id);
    if (owner == owners->end())
      co_return Error(ErrorCode::kUnavailable, "the target's coordinator does not say who controls the links");
    // Forgotten: whoever came meanwhile has written its name, which the takeover reads.
    if (!owner->second) co_return co_await take_control_locked(deadline);
    fenced_ = *owner->second != writer_->owner();
    if (fenced_) co_return fenced();
  }
  confirmed_ = asked;
  co_return ok();
}

Task<Status> KafkaLinkStore::keep_control(Deadline deadline) {
  auto guard = co_await turn_.lock(deadline);
  if (!guard) co_return guard.error().in("target: stored links");
  CO_CHECK(co_await ensure_control(deadline));
  CO_CHECK(co_await confirm_control(deadline));
  if (!id_lifetime_ || env_.now() - used_ >= kLifetimeAskEvery) {
    auto lifetime = co_await kafka::id_lifetime(cluster_, deadline);
    id_lifetime_ = lifetime ? *lifetime : kLifetimeDefault;
  }
  if (env_.now() - used_ < std::min<Duration>(*id_lifetime_ / 4, kLifetimeAskEvery)) co_return ok();
  std::vector<TopicPartition> partitions{writer_->partition()};
  auto used = co_await kafka::send_markers(cluster_, options_.transactional_id, writer_->owner(), std::move(partitions),
                                           deadline);
  if (!used && used.error() == ErrorCode::kFenced) {
    fenced_ = true;
    co_return fenced();
  }
  if (used) used_ = env_.now();
  co_return used;
}

Task<Status> KafkaLinkStore::catch_up(Deadline deadline) {
  TopicPartition partition{kLinksTopic, 0};
  CO_TRY(Offset end, co_await kafka::partition_offset(cluster_, std::move(partition), kafka::OffsetOf::kEnd, deadline));
  for (int empty = 0; reader_->position() < end && empty < kEmptyReadsMax;) {
    auto read = co_await reader_->next(deadline);
    if (read && !read->run.empty()) deadline = std::max(deadline, env_.in(kStepLimit));  // as long as it goes on
    if (!read && read.error() == ErrorCode::kOutOfRange && reader_->position() == Offset(0)) {
      TopicPartition where{kLinksTopic, 0};
      CO_TRY(Offset start,
             co_await kafka::partition_offset(cluster_, std::move(where), kafka::OffsetOf::kLogStart, deadline));
      if (start == Offset(0)) co_return std::move(read).error();
      reader_->seek(start);
      continue;
    }
    if (!read) co_return std::move(read).error();
    empty = read->run.empty() ? empty + 1 : 0;
    size_t begin = 0;
    for (const BatchHeader& header : read->run.batches) {
      CO_CHECK(apply(header, read->run.bytes, begin));
      begin += header.size_bytes();
    }
  }
  if (fenced_) co_return fenced();
  co_return ok();
}

Task<Result<StoredEntry>> KafkaLinkStore::read(std::string key, Deadline deadline) {
  auto guard = co_await turn_.lock(deadline);
  if (!guard) co_return guard.error().in("target: stored links");
  CO_CHECK(co_await ensure_control(deadline));
  CO_CHECK(co_await catch_up(deadline));
  StoredEntry entry;
  if (auto found = entries_.find(key); found != entries_.end()) {
    entry.value = found->second.value;
    entry.revision = found->second.revision;
  }
  entry.key = std::move(key);
  co_return entry;
}

Task<Result<StoredPage>> KafkaLinkStore::page(std::string begin, std::string end, Deadline deadline) {
  auto guard = co_await turn_.lock(deadline);
  if (!guard) co_return guard.error().in("target: stored links");
  CO_CHECK(co_await ensure_control(deadline));
  CO_CHECK(co_await catch_up(deadline));
  StoredPage out;
  size_t bytes = 0;
  for (auto it = entries_.lower_bound(begin); it != entries_.end() && it->first < end; ++it) {
    out.more = out.entries.size() == kPageEntriesMax || bytes >= kPageBytesMax;
    if (out.more) break;
    out.entries.push_back(stored_entry(it->first, it->second.value, it->second.revision));
    bytes += it->first.size() + it->second.value.size();
  }
  co_return out;
}

// All entries are in memory: what belongs to a link is passed over there, and not copied page by page.
Task<Result<std::vector<StoredEntry>>> KafkaLinkStore::links(Deadline deadline) {
  auto guard = co_await turn_.lock(deadline);
  if (!guard) co_return guard.error().in("target: stored links");
  CO_CHECK(co_await ensure_control(deadline));
  CO_CHECK(co_await catch_up(deadline));
  std::vector<StoredEntry> out;
  const std::string end = end_of_prefix(std::string(kLinkKeyPrefix));
  for (auto it = entries_.lower_bound(std::string(kLinkKeyPrefix)); it != entries_.end() && it->first < end;) {
    const LinkKey key = parse_link_key(it->first);
    if (key.kind == LinkKey::Kind::kLink) {
      out.push_back(stored_entry(it->first, it->second.value, it->second.revision));
      ++it;
    } else {
      it = entries_.lower_bound(end_of_prefix(link_children_prefix(key.link)));
    }
  }
  co_return out;
}

Task<Result<int64_t>> KafkaLinkStore::replace(StoredEntry entry, Deadline deadline) {
  auto guard = co_await turn_.lock(deadline);
  if (!guard) co_return guard.error().in("target: stored links");
  if (entry.key.empty()) co_return Error(ErrorCode::kInvalidArgument, "an entry needs a key");
  CO_CHECK(co_await ensure_control(deadline));
  CO_CHECK(co_await confirm_control(deadline));
  auto known = entries_.find(entry.key);
  const int64_t revision = known == entries_.end() ? 0 : known->second.revision;
  if (revision != entry.revision)
    co_return Error(ErrorCode::kConflict, entry.key + " was changed by somebody else meanwhile");
  CO_CHECK(check_room(entry));
  kafka::KeyedRecord record;
  record.key = entry.key;
  if (!entry.value.empty()) record.value = entry.value;
  std::vector<kafka::KeyedRecord> records;
  records.push_back(std::move(record));
  auto written = co_await writer_->append(std::move(records), deadline);
  if (!written) {
    if (written.error() == ErrorCode::kFenced) {
      fenced_ = true;
      co_return fenced();
    }
    if (written.error() == ErrorCode::kAmbiguous) co_return co_await decide(std::move(entry), deadline);
    co_return std::move(written).error().in("store " + entry.key);
  }
  const int64_t now = written->value() + 1;
  std::optional<std::string> value;
  if (!entry.value.empty()) value = std::move(entry.value);
  remember(entry.key, std::move(value), now);
  co_return now;
}

// After our next marker the write is either in the topic, or never will be.
Task<Result<int64_t>> KafkaLinkStore::decide(StoredEntry entry, Deadline deadline) {
  auto controlled = co_await ensure_control(deadline);
  if (!controlled) {
    if (controlled.error() == ErrorCode::kFenced) co_return std::move(controlled).error();
    co_return Error(ErrorCode::kAmbiguous, controlled.error().to_string())
        .in("target: whether " + entry.key + " was written is not known; it is read again");
  }
  auto found = entries_.find(entry.key);
  const int64_t revision = found == entries_.end() ? 0 : found->second.revision;
  if (revision == entry.revision && (entry.revision != 0 || !entry.value.empty()))
    co_return Error(ErrorCode::kUnavailable, "store " + entry.key + ": the write was lost; try again");
  const std::string value = found == entries_.end() ? std::string() : found->second.value;
  // Only the controller writes, and we are the controller: an entry that differs is our own write.
  if (value == entry.value) co_return revision;
  co_return Error(ErrorCode::kConflict, entry.key + " was changed by somebody else meanwhile");
}

}  // namespace farshore::linker
