// EndCheck: what must hold of mirrors that have ended, while faults go on and afterwards. What the record says is at
// the target, also after a power loss. Below the end are batches of the source, behind it none. A promote ends where
// the source did. No group of the target is behind the end, unless a side without fsync lost its power (check_groups).
#pragma once

#include <set>
#include <string>

#include "broker/metadata/cluster_image.h"
#include "tests/simulation/figures.h"
#include "tests/simulation/watch.h"

namespace farshore::simulation {

class EndCheck {
 public:
  EndCheck(Clusters& clusters, Watch& watch, Figures& figures)
      : clusters_(clusters), watch_(watch), figures_(figures) {}

  // During a run: each end once, when it is seen first. It takes no time.
  void look();
  // When the faults are over.
  void check_all();

 private:
  using End = PromotionRecord::PartitionEnd;
  void check_source_end(const broker::TopicImage& topic, const End& end);
  void check_log(const broker::TopicImage& topic, const End& end);
  void check_groups(const broker::TopicImage& topic, const End& end);
  bool lost_before(const PromotionRecord& record) const;  // records, of either side
  void violation(const broker::TopicImage& topic, const End& end, const std::string& text);

  Clusters& clusters_;
  Watch& watch_;
  Figures& figures_;
  std::set<std::string> seen_;  // ids of ended topics
};

}  // namespace farshore::simulation
