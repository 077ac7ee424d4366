// Intruder: a gateway that does what a wrong or delayed one might do: it opens sessions at the target's mirrors, and
// sends batches that must be refused, in a session that was ended, or behind another batch than the mirror's last one.
#pragma once

#include <memory>
#include <string>

#include "broker/testing/test_client.h"
#include "proto/kafka/messages/mirror_append.h"
#include "proto/kafka/messages/mirror_control.h"
#include "tests/simulation/clusters.h"

namespace farshore::simulation {

class Intruder {
 public:
  Intruder(Clusters& clusters, sim::SimEnv& env, uint64_t seed) : clusters_(clusters), env_(env), random_(seed) {}

  Task<void> run();  // until stop()
  void stop() { stop_ = true; }
  bool stopped() const { return stopped_; }
  size_t tries() const { return tries_; }

 private:
  // One partition of a mirror, and the sessions that were opened there.
  struct Place {
    std::string name;
    LinkId link;
    LinkEpoch link_epoch;
    TopicId topic;
    int32_t partition = 0;
    int64_t ended_session = 0, session = 0, end = -1;
    int32_t last_epoch = -1;
  };
  Task<Status> step();
  bool draw(Place& place);
  Task<Status> open(Place& place);
  // The error code of the target's answer; 0: it took the batch.
  Task<Result<int16_t>> append(Place place, int64_t session, int32_t epoch_before);

  Clusters& clusters_;
  sim::SimEnv& env_;
  Random random_;
  std::unique_ptr<broker::TestClient> client_;
  bool stop_ = false, stopped_ = false;
  size_t tries_ = 0;
};

}  // namespace farshore::simulation
