// Ending: the last part of a run, after its faults. The mirror converges to the source; or it is promoted while clients
// write; or the source is lost and the mirror fails over. Each ending is checked against the history.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/clusters.h"
#include "tests/simulation/committer.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/producer.h"
#include "tests/simulation/watch.h"

namespace farshore::simulation {

class Ending {
 public:
  Ending(Clusters& clusters, Watch& watch, Faults& faults, std::vector<Producer*> producers, Committer* committer)
      : clusters_(clusters),
        watch_(watch),
        faults_(faults),
        producers_(std::move(producers)),
        committer_(committer),
        after_(kPartitions) {}

  void converge();
  void promote();
  void fail_over();  // the source is gone already
  // The logs after a converged run, for the canary.
  std::vector<PartitionState> end;
  bool nothing_to_end = false;  // the source was lost before there was a mirror

 private:
  using Record = linker::api::PromotionRecord;
  bool progress();
  bool stop_clients(bool groups_too);
  // Promotes or fails over, and repeats the request until it succeeds. False: a violation, or there is no mirror.
  bool end_mirror(bool promote);
  Task<void> ask(bool promote, Duration limit, bool& done);
  // A promote with little time, perhaps of a gateway that dies meanwhile: unless it has ended the mirror, clients of
  // the source write on afterwards. False: a violation.
  bool give_up_a_promote();
  bool mirror_has_ended();
  void disturb();
  void check_ended(bool promoted);
  void check_writable();
  std::string not_in_sync();
  Task<void> describe(std::string& text);

  Clusters& clusters_;
  Watch& watch_;
  Faults& faults_;
  std::vector<Producer*> producers_;  // owned by their process
  Committer* committer_;
  History after_;  // of the client that writes to the target after the end of the mirror
  Record record_;
  std::string last_error_;
};

}  // namespace farshore::simulation
