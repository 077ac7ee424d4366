// Figures: compares, again and again during a run, what the gateways show with what the source had. A figure may be
// old, if it says how old; then it must not say less than what was true at that time. What is not known must not be
// shown as 0. At the end of a run the figures must also be tight.
//
// "As of" is a lower bound: a gateway may have heard later news, of an answer that has not ended yet. So a lower figure
// is right if the source lost records after that time (no power, durability=page-cache): nothing is compared then. A
// source that has lost nothing since then never goes back, whatever else happens to its process.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/clusters.h"

namespace farshore::simulation {

class Figures {
 public:
  explicit Figures(Clusters& clusters) : clusters_(clusters) {}

  // Notes where the source is, and reads the gateways' status. It changes nothing, and takes no time.
  void look();
  // The high watermark that the source had at `as_of` or before, and did not go below until `until`; -1: it cannot be
  // said, because the source's process ended in between, and may have lost records.
  int64_t known_by(const std::string& source_topic_id, int32_t partition, Duration as_of, Duration until) const;

  // The source's process that runs now, or ran last, had this partition at that time already.
  bool one_process_since(const std::string& source_topic_id, int32_t partition, Duration at) const;
  // The highest high watermark that the source ever had; -1: the topic was not seen. What is there is seen before each
  // loss of power.
  int64_t highest(const std::string& source_topic_id, int32_t partition) const;

 private:
  struct Sample {
    Duration at{};
    uint32_t process;  // of the source
    int64_t high_watermark;
  };
  using Place = std::pair<std::string, int32_t>;  // id of the topic, partition

  // The last one that is not after `at`; null: none.
  const Sample* sample_at(const std::vector<Sample>& samples, Duration at) const;
  void note_source();
  void check_topic(const GatewayNode& node, const linker::api::MirrorTopic& topic);
  void check_partition(const std::string& what, const std::string& source_id,
                       const linker::api::MirrorPartition& shown);
  bool said_by_target(const linker::api::MirrorTopic& topic, const linker::api::PromotionPartition& end) const;
  void check_end(const std::string& what, const linker::api::MirrorTopic& topic);

  Clusters& clusters_;
  std::map<Place, std::vector<Sample>> source_;
};

}  // namespace farshore::simulation
