#include "broker/metadata/internal/topic_change.h"

#include <algorithm>
#include <utility>

#include "base/ensure.h"
#include "broker/metadata/internal/codec.h"
#include "broker/metadata/internal/topic_value.h"

namespace farshore::broker {
namespace {

constexpr size_t kTopicOpsMax = 3;  // of the topic itself: its key, its old parts, and a compare of each

bool same_placement(const PartitionImage& a, const PartitionImage& b) {
  return a.leader == b.leader && a.replicas == b.replicas && a.isr == b.isr;
}

bool same_partition(const PartitionImage& a, const PartitionImage& b) {
  return a.leadership_epoch == b.leadership_epoch && a.behind == b.behind && same_placement(a, b);
}

bool same_but_for_records(const PartitionImage& a, const PartitionImage& b) {
  return a.leadership_epoch == b.leadership_epoch && same_placement(a, b);
}

bool same_revisions(const TopicImage& a, const TopicImage& b) {
  return a.mod_revision == b.mod_revision &&
         std::equal(a.partitions.begin(), a.partitions.end(), b.partitions.begin(), b.partitions.end(),
                    [](const auto& x, const auto& y) { return x.mod_revision == y.mod_revision; });
}

void erase_prefix(std::string prefix, MetaTxn& txn) {
  std::string end = prefix_end(prefix);
  txn.then.push_back(KvDeleteRange{std::move(prefix), std::move(end)});
}

}  // namespace

TopicChange::TopicChange(std::shared_ptr<const TopicImage> now, std::shared_ptr<TopicImage> next, size_t written,
                         const MetaTxn& others, Random& random)
    : now_(std::move(now)), next_(std::move(next)), written_(written) {
  size_t changed = 0;
  for (size_t i = 0; i < now_->partitions.size(); ++i) {
    ensure(next_->partitions[i].leadership_epoch >= now_->partitions[i].leadership_epoch,
           "a leadership epoch never goes down");
    changed += writes(i) ? 1 : 0;
  }
  const size_t fresh = next_->partitions.size() - std::max(written_, now_->partitions.size());
  const size_t conditions = kTopicOpsMax + changed + others.conditions.size();
  const size_t operations = kTopicOpsMax + changed + fresh + others.then.size();
  if (changed > 0 && std::max(conditions, operations) > kMetaTxnOpsMax) raise_later();
  text_ = encode_topic(*next_);
  rewrites_ = text_ != encode_topic(*now_);
  if (!rewrites_) return;
  next_->parts.reset();
  if (const int32_t count = topic_part_count(text_.size()); count > 0)
    next_->parts = TopicParts{next_->id, random.uuid(), count};
}

// Not what differs and was written before this change.
bool TopicChange::writes(size_t old_partition) const {
  const PartitionImage& next = next_->partitions[old_partition];
  const PartitionImage& now = now_->partitions[old_partition];
  return next.mod_revision == now.mod_revision && !same_partition(next, now);
}

void TopicChange::raise_later() {
  for (size_t i = 0; i < now_->partitions.size(); ++i) {
    if (!writes(i)) continue;
    PartitionImage& partition = next_->partitions[i];
    ensure(same_placement(partition, now_->partitions[i]), "a large change is one of epochs");
    partition.behind = true;
    next_->raising[partition.partition] = partition.leadership_epoch;
  }
}

std::vector<MetaTxn> TopicChange::ahead() const {
  if (!rewrites_ || !next_->parts) return {};
  return topic_part_txns(*next_->parts, text_);
}

MetaTxn TopicChange::undo_ahead() const {
  MetaTxn txn;
  erase_prefix(topic_parts_prefix(*next_->parts), txn);
  return txn;
}

MetaTxn TopicChange::txn() const {
  const TopicImage& now = *now_;
  const TopicImage& next = *next_;
  MetaTxn txn;
  txn.conditions.push_back(Compare::revision_is(topic_key(now.name), now.mod_revision));
  if (rewrites_) {
    txn.then.push_back(KvPut{topic_key(now.name), next.parts ? encode_topic_parts(*next.parts) : text_});
    if (now.parts) erase_prefix(topic_parts_prefix(*now.parts), txn);
    // Another broker may have taken unfinished parts away, all of them at once.
    if (next.parts) txn.conditions.push_back(Compare::revision_is(topic_part_key(*next.parts, 0), first_part_));
  }
  for (size_t i = 0; i < next.partitions.size(); ++i) {
    const PartitionImage& partition = next.partitions[i];
    if (partition.behind) continue;
    std::string key = partition_key(now.id, partition.partition);
    if (i < now.partitions.size()) {
      if (!writes(i)) continue;
      txn.conditions.push_back(Compare::revision_is(key, now.partitions[i].mod_revision));
    } else if (i < written_) {
      continue;
    }
    txn.then.push_back(KvPut{std::move(key), encode_partition(partition)});
  }
  return txn;
}

void TopicChange::apply(ClusterImage& image, Revision revision) const {
  const TopicImage& now = *now_;
  TopicImage& next = *next_;
  std::vector<size_t> revisions;
  next.mod_revision = rewrites_ ? revision : now.mod_revision;
  for (size_t i = 0; i < next.partitions.size(); ++i) {
    PartitionImage& partition = next.partitions[i];
    const bool written = i < now.partitions.size() ? writes(i) : i >= written_;
    if (written && !partition.behind) revisions.push_back(i);
  }
  for (size_t i : revisions) next.partitions[i].mod_revision = revision;  // after all were asked
  put_topic(image, next_);
}

bool TopicChange::applied_in(const ClusterImage& image) const {
  const TopicImage* found = image.topic(now_->id);
  return found && !same_revisions(*found, *now_) && encode_topic(*found) == text_ &&
         std::equal(found->partitions.begin(), found->partitions.end(), next_->partitions.begin(),
                    next_->partitions.end(), same_but_for_records);
}

bool TopicChange::unchanged_in(const ClusterImage& image) const {
  const TopicImage* found = image.topic(now_->id);
  return found && same_revisions(*found, *now_);
}

MetaTxn partitions_txn(const TopicImage& topic, size_t from, size_t to) {
  MetaTxn txn;
  for (size_t i = from; i < to; ++i)
    txn.then.push_back(
        KvPut{partition_key(topic.id, topic.partitions[i].partition), encode_partition(topic.partitions[i])});
  return txn;
}

MetaTxn raise_txn(const TopicImage& topic, std::vector<size_t>& raised) {
  MetaTxn txn;
  for (size_t i = 0; i < topic.partitions.size() && txn.then.size() < kMetaTxnOpsMax; ++i) {
    const PartitionImage& partition = topic.partitions[i];
    if (!partition.behind) continue;
    std::string key = partition_key(topic.id, partition.partition);
    txn.conditions.push_back(Compare::revision_is(key, partition.mod_revision));
    txn.then.push_back(KvPut{std::move(key), encode_partition(partition)});
    raised.push_back(i);
  }
  return txn;
}

MetaTxn new_topic_txn(const TopicImage& topic, size_t written) {
  MetaTxn txn;
  std::string key = topic_key(topic.name);
  txn.conditions.push_back(Compare::absent(key));
  txn.then.push_back(KvPut{std::move(key), encode_topic(topic)});
  // Another broker may have taken the records of an unfinished creation away, all of them at once.
  if (written > 0)
    txn.conditions.push_back(Compare::revision_is(partition_key(topic.id, 0), topic.partitions[0].mod_revision));
  auto rest = partitions_txn(topic, written, topic.partitions.size());
  txn.then.insert(txn.then.end(), rest.then.begin(), rest.then.end());
  return txn;
}

void remove_topic_records(const TopicImage& topic, MetaTxn& txn) {
  erase_prefix(std::string(kPartitionPrefix) + topic.id.to_string() + "/", txn);
  erase_prefix(topic_parts_prefix(topic.id), txn);
}

void put_topic(ClusterImage& image, std::shared_ptr<const TopicImage> topic) {
  image.names_by_id[topic->id] = topic->name;
  image.topics[topic->name] = std::move(topic);
}

}  // namespace farshore::broker
