// Losses: each range that a mirror left out (the source deleted it before) or cut (the source lost it after) must be
// named by the gateway that did it. The target's log lines say what really happened.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/clusters.h"

namespace farshore::simulation {

class Losses {
 public:
  explicit Losses(Clusters& clusters);  // listens to the log of its world
  ~Losses();
  Losses(const Losses&) = delete;
  Losses& operator=(const Losses&) = delete;

  // Compares what happened some time ago with what the gateways show.
  void look();
  size_t seen() const { return seen_; }

 private:
  struct Range {
    std::string topic, kind;
    int32_t partition = 0;
    int64_t from = 0, to = 0;
  };
  // A gateway that mirrored the topic when it happened. It must name the loss, unless it was ended meanwhile.
  struct Owner {
    uint32_t process = 0;
    std::string link_id, topic_id;
    friend bool operator==(const Owner&, const Owner&) = default;
  };
  struct Expected {
    Range range;
    Duration at{};
    std::vector<Owner> owners;
  };
  void heard(std::string_view line);
  std::vector<Owner> owners_of(const std::string& topic) const;
  bool named(const Range& range) const;

  Clusters& clusters_;
  std::vector<Range> heard_;  // since the last look
  std::vector<Expected> expected_;
  size_t seen_ = 0;
};

}  // namespace farshore::simulation
