#include "broker/metadata/internal/topic_change.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/ensure.h"
#include "broker/metadata/internal/codec.h"

namespace farshore::broker {
namespace {

bool same_partition(const PartitionImage& a, const PartitionImage& b) {
  return a.leadership_epoch == b.leadership_epoch && a.leader == b.leader && a.replicas == b.replicas && a.isr == b.isr;
}

bool same_revisions(const TopicImage& a, const TopicImage& b) {
  return a.mod_revision == b.mod_revision &&
         std::equal(a.partitions.begin(), a.partitions.end(), b.partitions.begin(), b.partitions.end(),
                    [](const auto& x, const auto& y) { return x.mod_revision == y.mod_revision; });
}

}  // namespace

MetaTxn TopicChange::txn() const {
  const TopicImage& now = *now_;
  const TopicImage& next = *next_;
  MetaTxn txn;
  txn.conditions.push_back(Compare::revision_is(topic_key(now.name), now.mod_revision));
  if (std::string value = encode_topic(next); value != encode_topic(now))
    txn.then.push_back(KvPut{topic_key(now.name), std::move(value)});
  for (size_t i = 0; i < next.partitions.size(); ++i) {
    const PartitionImage& partition = next.partitions[i];
    std::string key = partition_key(now.id, partition.partition);
    if (i < now.partitions.size()) {
      if (same_partition(partition, now.partitions[i])) continue;
      ensure(partition.leadership_epoch >= now.partitions[i].leadership_epoch, "a leadership epoch never goes down");
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
  next.mod_revision = encode_topic(next) == encode_topic(now) ? now.mod_revision : revision;
  for (size_t i = 0; i < next.partitions.size(); ++i) {
    if (i >= now.partitions.size() && i < written_) continue;  // it has its own
    bool same = i < now.partitions.size() && same_partition(next.partitions[i], now.partitions[i]);
    next.partitions[i].mod_revision = same ? now.partitions[i].mod_revision : revision;
  }
  put_topic(image, next_);
}

bool TopicChange::applied_in(const ClusterImage& image) const {
  const TopicImage* found = image.topic(now_->id);
  return found && !same_revisions(*found, *now_) && encode_topic(*found) == encode_topic(*next_) &&
         std::equal(found->partitions.begin(), found->partitions.end(), next_->partitions.begin(),
                    next_->partitions.end(), same_partition);
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

void put_topic(ClusterImage& image, std::shared_ptr<const TopicImage> topic) {
  image.names_by_id[topic->id] = topic->name;
  image.topics[topic->name] = std::move(topic);
}

}  // namespace farshore::broker
