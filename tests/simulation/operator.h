// Operator: asks a gateway for verbs, drawn from the seed, without waiting for what another operator does. Deadlines
// are often too short. Whatever the answer is, it takes it; that an answer comes is checked.
#pragma once

#include <string>

#include "tests/simulation/clusters.h"

namespace farshore::simulation {

class Operator {
 public:
  Operator(Clusters& clusters, uint64_t seed) : clusters_(clusters), random_(seed) {}

  // Asks for one verb, if this operator has no answer outstanding.
  void ask_something();
  // Asks for this verb of this topic, with time enough.
  void ask_for(std::string verb, std::string topic);
  // An answer is overdue: its deadline passed a minute ago, and the process that was asked lives.
  std::string overdue() const;
  bool idle() const { return !busy_ || asked_->dead(); }
  // The gateway that works on the link, or a living one if none does yet; nullptr: none lives.
  GatewayNode* owner();
  const std::string& seen() const { return seen_; }  // by the last owner(): the states of the link
  // Asks owner() for `verb` (a word of this class' list) and waits; the error, if any. For the end of a run.
  Status insist(const std::string& verb, const std::string& topic, Duration limit);
  size_t answers() const { return answers_; }

 private:
  std::string draw();
  void ask_one(std::string verb, std::string topic, Duration limit);
  Task<void> ask(linker::Gateway& gateway, std::string verb, std::string topic, Deadline deadline);
  Task<Status> call(linker::Gateway& gateway, std::string verb, std::string topic, Deadline deadline);
  Task<void> see_owner(linker::Gateway& gateway, bool& owns, std::string& seen);

  Clusters& clusters_;
  Random random_;
  bool busy_ = false;
  sim::SimEnv* asked_ = nullptr;
  std::string verb_, seen_;
  Duration until_{};  // virtual time of the deadline
  Status answer_;
  size_t answers_ = 0;
};

}  // namespace farshore::simulation
