#include "broker/groups/internal/group_table.h"

#include <utility>

namespace farshore::broker {

LiveGroupPtr GroupTable::find(const std::string& id) const {
  auto it = groups_.find(id);
  return it == groups_.end() ? nullptr : it->second;
}

LiveGroupPtr GroupTable::make(const std::string& id) {
  auto& slot = groups_[id];
  if (!slot) slot = std::make_shared<LiveGroup>(Group(id, limits_, env_.wall_now()));
  return slot;
}

void GroupTable::erase(const std::string& id) {
  auto it = groups_.find(id);
  if (it == groups_.end()) return;
  disarm(*it->second);
  groups_.erase(it);
}

void GroupTable::clear() {
  for (auto& [id, live] : groups_) disarm(*live);
  groups_.clear();
}

std::vector<LiveGroupPtr> GroupTable::all() const {
  std::vector<LiveGroupPtr> out;
  out.reserve(groups_.size());
  for (const auto& [id, live] : groups_) out.push_back(live);
  return out;
}

void GroupTable::arm(const LiveGroupPtr& live) {
  const MonoTime at = live->group.next_deadline();
  if (at >= live->timer_at || find(live->group.id()) != live) return;
  if (live->timer) env_.cancel(live->timer);
  live->timer_at = at;
  std::weak_ptr<LiveGroup> weak = live;
  live->timer = env_.arm(at, [this, weak] {
    auto alive = weak.lock();
    if (!alive) return;
    alive->timer = 0;
    alive->timer_at = MonoTime::max();
    due_(alive);
  });
}

void GroupTable::disarm(LiveGroup& live) {
  if (live.timer) env_.cancel(std::exchange(live.timer, 0));
  live.timer_at = MonoTime::max();
}

}  // namespace farshore::broker
