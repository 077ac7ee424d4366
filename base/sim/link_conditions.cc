#include "base/sim/link_conditions.h"

#include <algorithm>

#include "base/sim/world.h"

namespace farshore::sim {

LinkConditions::LinkConditions(SimWorld& world, Random& random) : world_(world), random_(random) {
  // Each run has its own network.
  default_profile_.delay_min = microseconds(random_.between(50, 1'000));
  default_profile_.delay_max = default_profile_.delay_min + microseconds(random_.between(10, 4'000));
  default_profile_.bytes_per_second = random_.chance(0.2) ? 5e6 : 200e6;
}

LinkConditions::Link& LinkConditions::link(const SimHost& from, const SimHost& to) {
  return links_[{from.index, to.index}];
}

void LinkConditions::set_profile(const SimHost& from, const SimHost& to, LinkProfile profile) {
  link(from, to).profile = profile;
}

void LinkConditions::clog(const SimHost& from, const SimHost& to, Duration time) {
  Link& l = link(from, to);
  l.clogged_until = std::max(l.clogged_until, world_.now() + time);
}

void LinkConditions::heal() {
  for (auto& [key, l] : links_) {
    l.cut = false;
    l.clogged_until = {};
  }
}

bool LinkConditions::blocked(const SimHost& from, const SimHost& to, Duration& until) const {
  until = {};
  if (from.index == to.index) return false;
  if (from.isolated || to.isolated) return true;
  auto it = links_.find({from.index, to.index});
  if (it == links_.end()) return false;
  if (it->second.cut) return true;
  until = it->second.clogged_until;
  return until > world_.now();
}

const LinkProfile& LinkConditions::profile(const SimHost& from, const SimHost& to) const {
  auto it = links_.find({from.index, to.index});
  if (it != links_.end() && it->second.profile) return *it->second.profile;
  return from.index == to.index ? loopback_ : default_profile_;
}

Duration LinkConditions::delay(const SimHost& from, const SimHost& to) {
  const LinkProfile& path = profile(from, to);
  return nanoseconds(random_.between(path.delay_min.count(), path.delay_max.count()));
}

}  // namespace farshore::sim
