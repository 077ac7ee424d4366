// TopicChange: one change of one topic, as a transaction of the MetaStore and as a change of the ClusterImage.
// It is one transaction whatever its size (kMetaTxnOpsMax, kMetaTxnBytesMax):
//  - More epochs than fit are written into the topic's record, where they hold at once (TopicImage::raising); the
//    partitions' own records follow (raise_txn).
//  - A record that is too long is written in parts beforehand (topic_value.h).
// Executor: the broker's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/meta_store.h"
#include "base/random.h"
#include "broker/metadata/cluster_image.h"

namespace farshore::broker {

class TopicChange {
 public:
  // From `now`, as in the image, to `next`, whose mod_revisions are set when the change is applied. New partitions
  // below `written` are in the store already, and so are old ones with another mod_revision in `next`. The transaction
  // leaves room for the conditions and operations of `others`. `random`: for the name of parts.
  TopicChange(std::shared_ptr<const TopicImage> now, std::shared_ptr<TopicImage> next, size_t written,
              const MetaTxn& others, Random& random);

  // To be committed before txn(), one after the other. `first`: the revision of the first one.
  std::vector<MetaTxn> ahead() const;
  void ahead_is_written(Revision first) { first_part_ = first; }
  MetaTxn undo_ahead() const;  // after txn() lost a compare
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
  bool writes(size_t old_partition) const;
  void raise_later();

  std::shared_ptr<const TopicImage> now_;
  std::shared_ptr<TopicImage> next_;
  size_t written_;
  std::string text_;       // of the new record
  bool rewrites_ = false;  // the record differs
  Revision first_part_ = 0;
};

// The transaction that creates a topic, if there is none with its name. Partitions below `written` are in the store
// already.
MetaTxn new_topic_txn(const TopicImage& topic, size_t written);
// The records of partitions [from, to), unconditionally: nobody sees them before their topic says that they are there.
MetaTxn partitions_txn(const TopicImage& topic, size_t from, size_t to);
// Writes the records of partitions that are `behind`, as many as fit, and returns their indexes. Empty: none is left.
MetaTxn raise_txn(const TopicImage& topic, std::vector<size_t>& raised);
// Removes what is stored under the topic's id.
void remove_topic_records(const TopicImage& topic, MetaTxn& txn);
void put_topic(ClusterImage& image, std::shared_ptr<const TopicImage> topic);

}  // namespace farshore::broker
