// LinkConditions: how bytes travel between hosts at the moment: delay and bandwidth of each direction, and the faults
// that stop them (cut, isolation, clog). Draws from the network's random numbers. Executor: the world.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "base/random.h"
#include "base/time.h"

namespace farshore::sim {

class SimWorld;
struct SimHost;

struct LinkProfile {  // one direction between two hosts
  Duration delay_min = microseconds(200), delay_max = milliseconds(2);
  double bytes_per_second = 200e6;
};

class LinkConditions {
 public:
  LinkConditions(SimWorld& world, Random& random);

  void set_profile(const SimHost& from, const SimHost& to, LinkProfile profile);
  void set_default_profile(LinkProfile profile) { default_profile_ = profile; }
  void cut(const SimHost& from, const SimHost& to) { link(from, to).cut = true; }
  void clog(const SimHost& from, const SimHost& to, Duration time);
  void heal();  // ends cuts and clogs

  // Nothing passes from `from` to `to` now. `until`: when to look again; 0: nobody knows.
  bool blocked(const SimHost& from, const SimHost& to, Duration& until) const;
  // Drawn for each message.
  Duration delay(const SimHost& from, const SimHost& to);
  double bytes_per_second(const SimHost& from, const SimHost& to) const { return profile(from, to).bytes_per_second; }

 private:
  struct Link {
    std::optional<LinkProfile> profile;
    bool cut = false;
    Duration clogged_until{};
  };
  Link& link(const SimHost& from, const SimHost& to);
  const LinkProfile& profile(const SimHost& from, const SimHost& to) const;

  SimWorld& world_;
  Random& random_;
  LinkProfile default_profile_, loopback_{microseconds(10), microseconds(60), 2e9};
  std::map<std::pair<uint32_t, uint32_t>, Link> links_;  // by the hosts' indexes
};

}  // namespace farshore::sim
