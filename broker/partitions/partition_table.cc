#include "broker/partitions/partition_table.h"

#include <algorithm>
#include <cstring>

#include "broker/metadata/topic_config.h"
#include "broker/partitions/internal/access_rule.h"
#include "broker/partitions/internal/data_directory.h"
#include "broker/partitions/internal/disk_watch.h"
#include "broker/partitions/internal/log_maintenance.h"

namespace farshore::broker {
namespace {

constexpr Duration kApplyPause = seconds(1);  // between tries, after the disk refused
// How many logs of one topic are opened or closed at the same time: that waits for the disk, not for the processor.
constexpr size_t kOpensMax = 16;
constexpr size_t kRemovesMax = 2;  // few: nobody waits for it as for an open, and the disk's threads are shared

// What keeps a log from being opened now, and not for good.
bool opens_later(const Error& error) {
  return error == ErrorCode::kNoSpace || error == ErrorCode::kUnavailable || error == ErrorCode::kResourceExhausted;
}

}  // namespace

size_t PartitionTable::UuidHash::operator()(const Uuid& id) const noexcept {
  uint64_t words[2];  // ids are random
  static_assert(sizeof words == sizeof id.bytes);
  std::memcpy(words, id.bytes.data(), sizeof words);
  return words[0] ^ words[1];
}

PartitionTable::PartitionTable(Env& env, SlabArena& arena, const Config& broker, PartitionOptions options,
                               MetadataManager& metadata)
    : env_(env),
      arena_(arena),
      config_(broker),
      options_(std::move(options)),
      metadata_(metadata),
      files_(std::make_unique<FileCache>(env, env.files(), options_.open_files_max)),
      directory_(std::make_unique<DataDirectory>(env, *files_, options_.data_dir)),
      applied_changed_(env),
      opened_(env),
      wake_(env),
      stopping_(env),
      gate_(env) {
  disk_ = std::make_unique<DiskWatch>(env, options_.data_dir, options_.reserve_bytes, [this] {
    const bool some =
        std::any_of(topics_.begin(), topics_.end(), [](const auto& entry) { return waits(*entry.second); });
    if (some && !reopening_) reopening_ = spawn(gate_, "open what waits", reopen());
  });
  maintenance_ = std::make_unique<LogMaintenance>(
      env, options_, [this] { return all(); }, [this] { return all(/*compacted_only=*/true); });
}

PartitionTable::~PartitionTable() = default;

LogOptions PartitionTable::options_of(const TopicImage& topic) const {
  LogOptions options = log_options(config_, topic);
  options.test_only_high_watermark_before_truncation = options_.inject_high_watermark_before_truncation;
  return options;
}

Task<Status> PartitionTable::start() {
  co_await disk_->look();
  const ImagePtr image = metadata_.image();
  CO_CHECK(co_await directory_->clean_up(*image));
  // A crash may have left directories of logs whose names are in memory only.
  CO_CHECK(co_await files_->sync_dir(options_.data_dir));
  CO_CHECK(co_await apply(metadata_.image()));
  spawn(gate_, "partitions follow", follow_loop());
  disk_->start();
  maintenance_->start();
  co_return ok();
}

void PartitionTable::refuse_waits() {
  stopping_.set();
  for (Notifier* waited_for : {&wake_, &applied_changed_, &opened_}) waited_for->notify();
}

Task<Status> PartitionTable::stop() {
  refuse_waits();
  co_await maintenance_->stop();
  co_await disk_->stop();
  co_await gate_.close();
  Status result = ok();
  Gate closes(env_);
  for (const auto& partition : all()) {
    while (closes.count() >= kOpensMax) (void)co_await opened_.wait(Deadline::never());
    spawn(closes, "close partition", close_partition(partition, result));
  }
  co_await closes.close();
  topics_.clear();
  topics_by_id_.clear();
  co_return result;
}

Task<void> PartitionTable::close_partition(PartitionPtr partition, Status& result) {
  auto closed = co_await partition->close();
  if (!closed) {
    env_.log().error("log not closed",
                     {{"topic", partition->topic()}, {"partition", partition->partition()}, {"error", closed.error()}});
    result = std::move(closed);
  }
  opened_.notify();
}

Result<PartitionPtr> PartitionTable::slot(const Topic* topic, int32_t partition) const {
  if (!topic || partition < 0 || static_cast<size_t>(partition) >= topic->slots.size())
    return Error(ErrorCode::kNotFound);
  const Slot& found = topic->slots[static_cast<size_t>(partition)];
  if (!found.partition) return found.error;
  if (found.partition->failure()) [[unlikely]]
    return *found.partition->failure();
  return found.partition;
}

Result<PartitionPtr> PartitionTable::find(std::string_view topic, int32_t partition) const {
  auto it = topics_.find(topic);
  return slot(it == topics_.end() ? nullptr : it->second.get(), partition);
}

Result<PartitionPtr> PartitionTable::find(const TopicId& topic, int32_t partition) const {
  auto it = topics_by_id_.find(topic);
  return slot(it == topics_by_id_.end() ? nullptr : it->second.get(), partition);
}

std::vector<PartitionPtr> PartitionTable::all(bool compacted_only) const {
  std::vector<PartitionPtr> result;
  for (const auto& [name, topic] : topics_) {
    if (compacted_only && !compacts(topic->options.cleanup_policy)) continue;
    for (const auto& slot : topic->slots)
      if (slot.partition) result.push_back(slot.partition);
  }
  return result;
}

uint64_t PartitionTable::free_bytes() const { return disk_->free_bytes(); }
bool PartitionTable::disk_full() const { return disk_->state()->full; }

size_t PartitionTable::offline() const {
  size_t count = 0;
  for (const auto& [name, topic] : topics_)
    for (const auto& slot : topic->slots) {
      const bool not_ours_yet = !slot.partition && slot.error == ErrorCode::kClosed;
      count += !not_ours_yet && (!slot.partition || slot.partition->failure()) ? 1 : 0;
    }
  return count;
}

size_t PartitionTable::size() const {
  size_t count = 0;
  for (const auto& [name, topic] : topics_) count += topic->slots.size();
  return count;
}

Task<Status> PartitionTable::wait_for(Revision revision, Deadline deadline) {
  while (applied_ < revision) {
    if (stopping_.is_set()) co_return Error(ErrorCode::kClosed, "the broker is stopping");
    CO_CHECK(co_await applied_changed_.wait(deadline));
  }
  co_return ok();
}

Task<Status> PartitionTable::wait_open(TopicId id, Deadline deadline) {
  for (;;) {
    auto it = topics_by_id_.find(id);
    if (it == topics_by_id_.end() || it->second->unopened == 0) co_return ok();
    if (stopping_.is_set()) co_return Error(ErrorCode::kClosed, "the broker is stopping");
    CO_CHECK(co_await opened_.wait(deadline));
  }
}

// Makes the table what the image says. Runs in start(), then only in follow_loop(). start() waits until every log is
// open, one topic after another; later, logs are opened and removed beside this.
Task<Status> PartitionTable::apply(ImagePtr image) {
  const bool starting = applied_ == 0;
  Gate updates(env_);
  std::vector<std::shared_ptr<Topic>> gone;
  for (const auto& [name, topic] : topics_)
    if (!image->topic(topic->id)) gone.push_back(topic);
  for (const auto& topic : gone) {
    forget_topic(topic);
    spawn(gate_, "remove topic", remove_topic(topic));
  }
  for (const auto& [name, wanted] : image->topics) {
    auto it = topics_.find(name);
    if (it != topics_.end() && it->second->image == wanted) continue;
    const bool fresh = it == topics_.end();
    std::shared_ptr<Topic> topic = fresh ? std::make_shared<Topic>() : it->second;
    if (fresh) {
      topic->name = name;
      topic->id = wanted->id;
      topics_[name] = topic;
      topics_by_id_[wanted->id] = topic;
    }
    topic->options = options_of(*wanted);
    topic->image = wanted;
    const size_t known = topic->slots.size();
    topic->slots.resize(wanted->partitions.size());
    for (size_t i = known; i < topic->slots.size(); ++i)
      topic->slots[i].error = Error(ErrorCode::kClosed, "the partition is being opened");
    topic->unopened += topic->slots.size() - known;
    for (size_t i = 0; i < known; ++i) {  // side by side: a raised epoch is written, which may wait for a descriptor
      if (!topic->slots[i].partition) continue;
      while (updates.count() >= kOpensMax) (void)co_await opened_.wait(Deadline::never());
      spawn(updates, "update partition", update_slot(*topic, wanted, i));
    }
    if (topic->unopened == 0 || topic->opening) continue;
    topic->opening = true;
    if (starting)
      co_await open_topic(topic);
    else
      spawn(gate_, "open topic", open_topic(topic));
  }
  co_await updates.close();
  applied_ = image->revision;
  applied_changed_.notify();
  co_return ok();
}

// Opens the topic's new logs, also those that are added meanwhile.
Task<void> PartitionTable::open_topic(std::shared_ptr<Topic> topic) {
  // An earlier topic of this name still has the directories.
  while (removing_.contains(topic->name) && goes_on(*topic)) (void)co_await opened_.wait(Deadline::never());
  while (topic->unopened > 0 && goes_on(*topic)) {
    Gate opens(env_);
    for (size_t next = topic->slots.size() - topic->unopened; next < topic->slots.size() && goes_on(*topic); ++next) {
      while (opens.count() >= kOpensMax) (void)co_await opened_.wait(Deadline::never());
      spawn(opens, "open partition", open_slot(topic, static_cast<int32_t>(next)));
    }
    co_await opens.close();
  }
  topic->opening = false;
  opened_.notify();
}

Task<void> PartitionTable::open_slot(std::shared_ptr<Topic> topic, int32_t partition) {
  TopicPtr image = topic->image;
  const bool first = !topic->slots[static_cast<size_t>(partition)].tried;
  // An open waits seconds for a descriptor. After one that got none, new logs are left to reopen().
  Result<PartitionPtr> opened =
      Error(ErrorCode::kUnavailable, "no file descriptor is free: raise the limit (ulimit -n, LimitNOFILE), restart");
  if (!first || !no_descriptor_) opened = co_await open_partition(image, partition, topic->options);
  if (opened || opened.error() == ErrorCode::kUnavailable) no_descriptor_ = !opened;
  Slot& slot = topic->slots[static_cast<size_t>(partition)];
  slot.tried = true;
  if (opened) {
    slot.partition = std::move(*opened);
    slot.error = Error();
    while (image != topic->image) {  // changed while the log was opened
      image = topic->image;
      co_await update_slot(*topic, image, static_cast<size_t>(partition));
    }
  } else {
    const bool kept = opens_later(opened.error()) || opened.error() == ErrorCode::kClosed;
    Error error(kept ? opened.error().code : ErrorCode::kIo, opened.error().to_string());
    if (!(error == ErrorCode::kClosed) && slot.error.detail != error.detail)  // said once, however often it is tried
      env_.log().error("partition offline",
                       {{"topic", topic->name}, {"partition", partition}, {"error", opened.error()}});
    slot.error = std::move(error);
  }
  if (first) --topic->unopened;
  opened_.notify();
}

bool PartitionTable::waits(const Topic& topic) {
  return std::any_of(topic.slots.begin(), topic.slots.end(),
                     [](const Slot& slot) { return !slot.partition && opens_later(slot.error); });
}

// The logs that a full disk, or a lack of descriptors, kept from being opened. Runs beside apply(), which waits for
// none of them. While no descriptor is free, a round tries one log and ends.
Task<void> PartitionTable::reopen() {
  const auto topics = topics_;
  bool tried = false;
  for (const auto& [name, topic] : topics) {
    if (topic->opening || !waits(*topic) || !goes_on(*topic)) continue;
    topic->opening = true;  // who removes the topic waits
    Gate opens(env_);
    for (size_t i = 0; i < topic->slots.size() && goes_on(*topic); ++i) {
      if (topic->slots[i].partition || !opens_later(topic->slots[i].error)) continue;
      while (opens.count() >= kOpensMax || (no_descriptor_ && opens.count() > 0))
        (void)co_await opened_.wait(Deadline::never());
      if (tried && no_descriptor_) break;
      tried = spawn(opens, "open partition", open_slot(topic, static_cast<int32_t>(i)));
    }
    co_await opens.close();
    co_await open_topic(topic);  // what was added meanwhile
    if (no_descriptor_) break;
  }
  reopening_ = false;
}

Task<Result<PartitionPtr>> PartitionTable::open_partition(TopicPtr image, int32_t index, LogOptions options) {
  const PartitionImage& placed = image->partitions[static_cast<size_t>(index)];
  if (placed.leader != metadata_.self())
    co_return Error(ErrorCode::kClosed, "led by broker " + std::to_string(placed.leader.value()) +
                                            ": several brokers in one cluster are not served yet");
  CO_TRY(std::string directory, co_await directory_->claim(*image, index, metadata_.image()));
  CO_TRY(auto log, co_await open_log(env_, *files_, arena_, directory, options));
  const LogRecovery& recovery = log->recovery();
  if (!recovery.clean)
    env_.log().warn("log recovered", {{"topic", image->name},
                                      {"partition", index},
                                      {"scanned_bytes", recovery.scanned_bytes},
                                      {"cut_bytes", recovery.cut_bytes}});
  auto partition =
      std::make_shared<Partition>(env_, image->name, image->id, index, std::move(log),
                                  only_replica_rule(options_.durability), placed.leadership_epoch, disk_->state());
  partition->set_client_access(access_of(*image, static_cast<size_t>(index)));
  // The lineage goes on from here, also before the first write: clients that heard of this epoch ask where it ends.
  if (!active_mirror(*image, static_cast<size_t>(index))) {
    auto begun = partition->announce_epoch();
    if (!begun) {
      (void)co_await partition->close();
      co_return std::move(begun).error();
    }
  }
  co_return partition;
}

// Configs, access and epoch of an open partition.
Task<void> PartitionTable::update_slot(const Topic& topic, TopicPtr image, size_t index) {
  PartitionPtr partition = topic.slots[index].partition;
  if (!partition) co_return;
  partition->log().set_options(topic.options);
  const LeadershipEpoch epoch = image->partitions[index].leadership_epoch;
  if (epoch > partition->leadership_epoch()) {
    auto raised = co_await partition->set_leadership_epoch(epoch, !active_mirror(*image, index));
    if (!raised)
      env_.log().error("leadership epoch not raised",
                       {{"topic", topic.name}, {"partition", index}, {"error", raised.error()}});
  }
  partition->set_client_access(access_of(*image, index));  // last: writes begin in the new epoch
  opened_.notify();
}

void PartitionTable::forget_topic(const std::shared_ptr<Topic>& topic) {
  topics_by_id_.erase(topic->id);
  if (auto it = topics_.find(topic->name); it != topics_.end() && it->second == topic) topics_.erase(it);
  env_.metrics().remove("topic", topic->name);
  removing_.insert(topic->name);
  opened_.notify();  // its opening ends
}

// First every log is closed and its directory renamed, so that the name is free again. The files go afterwards; a stop
// or a crash leaves them to the next start.
Task<void> PartitionTable::remove_topic(std::shared_ptr<Topic> topic) {
  while (topic->opening) (void)co_await opened_.wait(Deadline::never());
  Removed removed;
  Gate closes(env_);
  for (size_t i = 0; i < topic->slots.size(); ++i) {
    while (closes.count() >= kRemovesMax) (void)co_await opened_.wait(Deadline::never());
    spawn(closes, "remove log", remove_slot(topic, static_cast<int32_t>(i), removed));
  }
  co_await closes.close();
  auto synced = co_await directory_->sync();
  if (!synced) env_.log().error("logs not removed durably", {{"topic", topic->name}, {"error", synced.error()}});
  removing_.erase(removing_.find(topic->name));
  opened_.notify();
  for (auto& aside : removed) {
    if (stopping_.is_set()) co_return;
    auto gone = co_await directory_->remove(aside);
    if (!gone) env_.log().error("log not removed", {{"directory", aside}, {"error", gone.error()}});
  }
}

Task<void> PartitionTable::remove_slot(std::shared_ptr<Topic> topic, int32_t partition, Removed& removed) {
  const Slot slot = topic->slots[static_cast<size_t>(partition)];
  if (slot.partition) (void)co_await slot.partition->close();
  if (!slot.tried) co_return opened_.notify();  // the directory is that of an earlier topic of the name
  auto aside = co_await directory_->set_aside(topic->name, partition);
  if (!aside)
    env_.log().error("log not removed", {{"topic", topic->name}, {"partition", partition}, {"error", aside.error()}});
  else if (!aside->empty())
    removed.push_back(std::move(*aside));
  opened_.notify();
}

Task<void> PartitionTable::follow_loop() {
  while (!stopping_.is_set()) {
    ImagePtr image = metadata_.image();
    if (image->revision == applied_) {
      Wait<void> woken(env_);
      metadata_.changes().add(woken);
      wake_.add(woken);
      (void)co_await woken.wait(Deadline::never());
      continue;
    }
    auto applied = co_await apply(std::move(image));
    if (applied) continue;
    env_.log().error("partitions do not follow the metadata", {{"error", applied.error()}});
    (void)co_await stopping_.wait(env_.in(kApplyPause));
  }
}

}  // namespace farshore::broker
