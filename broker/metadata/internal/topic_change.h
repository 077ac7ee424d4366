// TopicChange: one change of one topic, as a transaction of the MetaStore and as a change of the ClusterImage.
// Executor: the broker's.
#pragma once

#include <memory>

#include "base/meta_store.h"
#include "broker/metadata/cluster_image.h"

namespace farshore::broker {

class TopicChange {
 public:
  // From `now`, as in the image, to `next`, whose mod_revisions are set when the change is applied. New partitions
  // below `written` are in the store already.
  TopicChange(std::shared_ptr<const TopicImage> now, std::shared_ptr<TopicImage> next, size_t written = 0)
      : now_(std::move(now)), next_(std::move(next)), written_(written) {}

  // Writes what differs, and compares the revision of every key that it replaces. No operation: nothing differs.
  MetaTxn txn() const;
  // Puts `next` into the image of `revision`, the one that the transaction was applied at.
  void apply(ClusterImage& image, Revision revision) const;

  // Whether `image` holds `next`, written by whomever: the transaction was applied although its result was ambiguous.
  bool applied_in(const ClusterImage& image) const;
  // Whether the topic in `image` is still at the revisions of `now`: then it was not this topic that a lost compare was
  // about.
  bool unchanged_in(const ClusterImage& image) const;

 private:
  std::shared_ptr<const TopicImage> now_;
  std::shared_ptr<TopicImage> next_;
  size_t written_;
};

// The transaction that creates a topic, if there is none with its name. Partitions below `written` are in the store
// already.
MetaTxn new_topic_txn(const TopicImage& topic, size_t written);
// The records of partitions [from, to), unconditionally: nobody sees them before their topic says that they are there.
MetaTxn partitions_txn(const TopicImage& topic, size_t from, size_t to);
void put_topic(ClusterImage& image, std::shared_ptr<const TopicImage> topic);

}  // namespace farshore::broker
