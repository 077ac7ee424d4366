// GroupTable: the live groups of a shard, each with the one timer that its next deadline needs.
// Executor: the broker's. Owner: GroupShard.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "broker/groups/group.h"

namespace farshore::broker {

struct LiveGroup {
  explicit LiveGroup(Group g) : group(std::move(g)) {}
  Group group;
  TimerId timer = 0;
  MonoTime timer_at = MonoTime::max();
};
using LiveGroupPtr = std::shared_ptr<LiveGroup>;

class GroupTable {
 public:
  // `due`: called when a group's deadline has come. All references outlive the table.
  GroupTable(Env& env, const GroupLimits& limits, std::function<void(const LiveGroupPtr&)> due)
      : env_(env), limits_(limits), due_(std::move(due)) {}
  GroupTable(const GroupTable&) = delete;
  GroupTable& operator=(const GroupTable&) = delete;
  ~GroupTable() { clear(); }

  LiveGroupPtr find(const std::string& id) const;  // nullptr: none
  LiveGroupPtr make(const std::string& id);        // the one that is there, or a new one
  void erase(const std::string& id);
  void clear();
  size_t size() const { return groups_.size(); }
  std::vector<LiveGroupPtr> all() const;  // by id

  // Sets the group's timer to its next deadline, unless the timer is due earlier.
  void arm(const LiveGroupPtr& live);
  void disarm(LiveGroup& live);

 private:
  Env& env_;
  const GroupLimits& limits_;
  const std::function<void(const LiveGroupPtr&)> due_;
  std::map<std::string, LiveGroupPtr> groups_;
};

}  // namespace farshore::broker
