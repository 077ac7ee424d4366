// MirrorTopics: the mirror topics of one link, by their name at the target. A topic that was once added exists until
// the link goes, so references to it hold across awaits. Executor: the Env's. Owner: Link.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "linker/link/model/mirror_topic.h"
#include "linker/store/link_definition.h"

namespace farshore::linker {

class MirrorTopics {
 public:
  using Map = std::map<std::string, std::unique_ptr<MirrorTopic>>;

  // References outlive it.
  MirrorTopics(Env& env, replicator::Replicator& replicator, const LinkDefinition& definition);

  const Map& all() const { return topics_; }
  std::vector<std::string> names() const;  // sorted; without what is LEFT_OUT
  MirrorTopic* find(const std::string& name) const;
  // kNotFound, with the link's name.
  Result<MirrorTopic*> get(const std::string& name) const;
  MirrorTopic* of_pump(const LinkPartition& key) const;  // null: that pump was removed
  std::vector<LinkPartition> pumps() const;              // of all topics, sorted
  // topic-partition at the target, for the log.
  std::string partition_name(const LinkPartition& key) const;

  MirrorTopic& add(const std::string& name, const std::string& source_topic);  // or finds it
  // Starts the pumps of `topic`, paused if the definition says so.
  void start(MirrorTopic& topic, int32_t partitions);
  // After a change of the definition: pauses and resumes topics accordingly. `was_paused`: the link was paused before
  // it.
  void apply_pauses(bool was_paused);
  // FAILED, because one partition cannot be filled any more. Topics that are paused or ended stay as they are.
  void fail_partition(const LinkPartition& key, const std::string& why);
  // FAILED are all that should pump and have a failed pump: none is ACTIVE beside a partition that is FAILED.
  void fail_with_their_pumps();
  // The link is not this gateway's any more: all that are not ended become FAILED, without pumps.
  void stop_all(const std::string& why);
  // Says of each topic whether the link's filters select it.
  void remark_selection();
  // Topics of which nothing is at the target, and which the filters do not select any more, leave the listing, as they
  // would with a restart.
  void forget_unselected();
  // A topic that has ended leaves the listing. False: too many were forgotten already; it stays.
  bool forget(const std::string& name);

 private:
  Env& env_;
  replicator::Replicator& replicator_;
  const LinkDefinition& definition_;
  static constexpr size_t kForgottenMax = 1000;  // beyond it they stay in the listing

  Map topics_;
  std::vector<std::unique_ptr<MirrorTopic>> forgotten_;    // somebody may still refer to them
  std::map<SourceTopicId, MirrorTopic*> by_source_topic_;  // of those that ever had a pump; asked for each partition
};

}  // namespace farshore::linker
