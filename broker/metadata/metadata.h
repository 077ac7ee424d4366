// MetadataManager: the one place that reads and changes the cluster's metadata. Handlers read image(); every change is
// a compare transaction on the MetaStore, and is in image() when the call returns. Keys: FORMAT.md.
// Executor: the broker's. Owner: Broker. Durability: a change that returned ok is durable.
//
// Errors of all changes: kNotFound (no such topic), kConflict (somebody else keeps changing the same thing),
// kUnavailable / kTimedOut (nothing was decided, or not known in time), kAmbiguous (the store cannot say whether it was
// applied, also after re-reading), kClosed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/async_mutex.h"
#include "base/env.h"
#include "base/gate.h"
#include "base/meta_store.h"
#include "broker/metadata/cluster_image.h"

namespace farshore::broker {

class TopicChange;

using ImagePtr = std::shared_ptr<const ClusterImage>;
using TopicPtr = std::shared_ptr<const TopicImage>;

struct NewTopic {
  std::string name;
  int32_t partitions = 1;
  std::map<std::string, std::string> configs;
  std::optional<MirrorImage> mirror;
  bool internal = false;
};

class MetadataManager {
 public:
  MetadataManager(Env& env, std::unique_ptr<MetaStore> store, BrokerImage self);
  ~MetadataManager();

  // Where clients find this broker; before start().
  void advertise(Endpoint at) { self_.advertised = std::move(at); }
  // The salt of producer ids from now on; before start(). 0: as stored. The counter goes on, so no id is given twice
  // however often the salt changes.
  void use_salt(int64_t salt) { salt_ = salt; }
  // Makes the cluster (id, incarnation, producer id salt) if the store is empty, registers this broker, loads the image
  // and raises the LeadershipEpoch of every partition that this broker leads: durable when it returns.
  // kInvalidArgument: the store belongs to another cluster than `cluster_id` (empty: any).
  Task<Status> start(std::string cluster_id, Deadline deadline);
  // Ends the background reading. Changes fail with kClosed from here on.
  Task<void> stop();

  // Never null after start(). Immutable; hold it as long as needed.
  const ImagePtr& image() const { return image_; }
  BrokerId self() const { return self_.id; }
  // Notified when image() was replaced.
  Notifier& changes() { return changes_; }

  // kAlreadyExists. The name and configs must have been checked (TopicCreator does). Leadership epoch of a new
  // partition: 0.
  Task<Result<TopicPtr>> create_topic(NewTopic topic, Deadline deadline);
  Task<Status> delete_topic(TopicId id, Deadline deadline);
  // Grows to `count` partitions in all. kInvalidArgument: not more than now.
  Task<Result<TopicPtr>> create_partitions(TopicId id, int32_t count, Deadline deadline);
  // nullopt removes the override.
  using ConfigChanges = std::map<std::string, std::optional<std::string>>;
  Task<Result<TopicPtr>> alter_configs(TopicId id, ConfigChanges changes, Deadline deadline);

  // Any change of one topic, whole or not at all: `edit` gets a copy of the newest state (again, after a lost compare)
  // and may change configs, mirror, read_only, and partitions (epochs; more of them). Never the name, the id, or an
  // epoch downwards (ensured). Its error is returned, and nothing is written. `conditions` must hold as well, and
  // `also` is written along (keys under "link/"): kFenced if a condition fails.
  using TopicEdit = std::function<Status(TopicImage&)>;
  struct Along {
    std::vector<Compare> conditions;
    std::vector<KvBatch::Op> also;
    Along() {}
  };
  Task<Result<TopicPtr>> update_topic(TopicId id, TopicEdit edit, Deadline deadline);
  Task<Result<TopicPtr>> update_topic(TopicId id, TopicEdit edit, Along along, Deadline deadline);

  // The store itself, for keys that are not the broker's: those under "link/" (the gateway's, through LinkState) and
  // "producer_ids". kInvalidArgument for any other key.
  Task<Result<MetaSnapshot>> range(std::string begin, std::string end, Deadline deadline,
                                   size_t entries_max = kNoEntriesMax);
  Task<Result<MetaTxnReply>> commit(MetaTxn txn, Deadline deadline);
  // Notified after any write to the store; perhaps late, perhaps without a write.
  Notifier& store_changes() { return store_->changes(); }

 private:
  using Apply = std::function<void(ClusterImage&, Revision)>;
  // Reads the whole image again. `unowned`: prefixes of records that belong to no topic.
  Task<Status> load(Deadline deadline, std::vector<std::string>* unowned = nullptr);
  // Reads what was written since `seen_`; the whole image only if the store cannot tell.
  Task<Status> catch_up(Deadline deadline);
  // Writes partitions of `topic` from `from` on, in transactions of their own, until the rest fits into one with the
  // topic. Returns the first that is not written.
  Task<Result<size_t>> write_ahead(TopicImage& topic, size_t from, Deadline deadline);
  Task<void> remove_unowned(std::vector<std::string> prefixes, Deadline deadline);
  // A change failed after it wrote records ahead: `txn` removes them, now or before the next change that writes ahead.
  // Returns `why` it failed. Not after kAmbiguous.
  Task<Error> undo_ahead(MetaTxn txn, Error why);
  Task<Status> finish_undo(Deadline deadline);
  // False: a compare was lost.
  Task<Result<bool>> commit_change(TopicChange& change, MetaTxn others, Deadline deadline);
  // The records of partitions follow what their topic's record says of their epochs (TopicImage::raising).
  Task<Status> finish_raise(TopicId id, Deadline deadline);
  // `wrote`: set if something may have been written.
  Task<Result<bool>> write_raised(TopicImage& topic, bool& wrote, Deadline deadline);
  void finish_raises_later();
  Task<void> finish_raises();
  Task<Status> finish_raise_alone(TopicId id);
  // Commits under lock_; `apply` changes a copy of the image if nobody else wrote meanwhile, else what was written is
  // read.
  Task<Result<MetaTxnReply>> commit_locked(MetaTxn txn, Apply apply, Deadline deadline);
  void place(TopicImage& topic) const;  // gives new partitions to this broker
  void publish(std::shared_ptr<ClusterImage> image);
  Task<void> follow();

  Env& env_;
  std::unique_ptr<MetaStore> store_;
  BrokerImage self_;
  int64_t salt_ = 0;
  ImagePtr image_;
  Revision seen_ = 0;  // of the store; image_ is true up to here, and has the revision of its own last change
  Notifier changes_;
  Gate gate_;
  AsyncMutex lock_;  // one change at a time from this process; others are compared away
  bool stopped_ = false;
  bool finishing_ = false;       // finish_raises() runs
  std::optional<MetaTxn> undo_;  // see undo_ahead()
  std::optional<Error> failed_;  // the store went back in time: nothing is changed any more
};

}  // namespace farshore::broker
