// Settlement: what must hold of topics and mirrors when the faults are over. It asks the brokers and a gateway, and
// does what an operator does by hand: create the link, resume, delete a target topic that mirrors another source topic.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "tests/simulation/operator.h"
#include "tests/simulation/source_user.h"
#include "tests/simulation/watch.h"

namespace farshore::simulation {

class Settlement {
 public:
  Settlement(Clusters& clusters, Watch& watch, Operator& hand, SourceUser& user, sim::SimEnv& client)
      : clusters_(clusters), watch_(watch), hand_(hand), user_(user), client_(client) {}

  // Each topic of the source is mirrored, or its mirror has ended; within the limit. `when`: for the violation's text.
  bool reach(const std::string& when);
  // Each topic of the source can be written to, but for one that was promoted.
  void check_writable();
  // Bytes, states and figures of each mirrored topic.
  void check_equal();
  // No group of the target is behind the end of a mirror.
  void check_groups();
  // At most one living gateway says that it has the link, and all have different epochs.
  void check_one_owner();
  size_t active() const { return active_; }
  size_t ended() const { return ended_; }

 private:
  void repair();
  // Empty: settled. Otherwise the reason why not.
  std::string unsettled(const std::string& topic);
  bool is_mirrored(const std::string& topic) const;  // from the topic that the source has now
  // Empty: the figures of the partition are exact. Otherwise what is wrong with them.
  std::string wrong_figures(const std::string& topic, int32_t partition, int64_t end);
  void check_batches(const std::string& what, const std::string& source, const std::string& target);
  // Of a compacted topic: the source may have fewer records, and the others are equal.
  void check_records(const std::string& what, const std::string& source, const std::string& target);
  bool within(Duration limit, const std::function<bool()>& done);  // asks every second
  std::string groups_ahead();
  std::string owners(size_t& count);
  const linker::api::MirrorTopic* mirror_of(const std::string& topic) const;
  Task<void> list(linker::Gateway& gateway);
  Task<void> remove_at_target(std::string topic, Status& done);
  Task<void> write(std::string topic, Status& done);

  Clusters& clusters_;
  Watch& watch_;
  Operator& hand_;
  SourceUser& user_;
  sim::SimEnv& client_;
  std::map<std::string, linker::api::MirrorTopic> mirrors_;  // by source topic, as a gateway lists them
  size_t active_ = 0, ended_ = 0;
};

}  // namespace farshore::simulation
