// SourceFences: the fences that this link holds on topics of a Farshore source (proto/link/write_fence.h).
//
//   raise()         a promote begins: clients of the source write no more. Renewed while the promote runs; the source
//                   lifts it by itself kLease after the last renewal
//   hold_for_end()  the target is about to be asked to end the mirror: from now on it holds for kEndLease, because two
//                   sides that both take writes are worse than none
//   keep()          the mirror has ended: holds until an operator lifts it
//   lift()          the promote was given up
//   release()       the link is about to be deleted: only fences of promoted mirrors stay
//
// What keep() and lift() want is tried until the source has done it. Fences that an earlier gateway left are found when
// a topic is adopted, and kept or lifted by the same rule. Every order has a number, so a late one changes nothing.
// Executor: the Env's. Owner: Link. Limit: one entry per topic that was promoted.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/event.h"
#include "linker/link/model/mirror_topics.h"
#include "linker/link/model/source_cluster.h"

namespace farshore::linker {

class SourceFences {
 public:
  static constexpr Duration kLease = seconds(60), kEndLease = hours(1);

  // References outlive it. `stopping`: the link ends.
  SourceFences(Env& env, const LinkDefinition& definition, SourceCluster& source, LinkTarget& target,
               const MirrorTopics& topics, Event& stopping);

  // Renews, keeps, lifts and finds, until the link ends.
  Task<void> run();
  void stop() { wake_.notify(); }

  // All names are those at the source. Errors: the source's, with "source" in front; kClosed: not wanted any more.
  Task<Status> raise(std::string topic, StillWanted wanted, Deadline deadline);
  Task<Status> hold_for_end(std::string topic, StillWanted wanted, Deadline deadline);
  void keep(const std::string& topic);
  void lift(const std::string& topic);
  // Lifts all fences of this link, found ones too, but for those of mirrors that a promote has ended. No verb is at
  // work. Returns, in words, which ones may still hold: the source did not answer. An error: the target did not.
  Task<Result<std::vector<std::string>>> release(Deadline deadline);
  // Waits until lift() is carried out. An error: it is tried again in the background.
  Task<Status> lifted(std::string topic, Deadline deadline);
  // For an operator: lifts the fences that the source has shown, those of other links too.
  Task<Status> lift_all(std::string topic, MirrorTopicAnswer found, Deadline deadline);

  // The source has confirmed a fence of this link.
  bool holds(const std::string& topic) const {
    auto found = fences_.find(topic);
    return found != fences_.end() && found->second.confirmed;
  }
  // In words; empty: this link holds none that it knows of.
  std::string describe(const std::string& topic) const;

 private:
  enum class Want : uint8_t { kLease, kEndLease, kForever, kLifted };
  struct Fence {
    FenceNumber number;
    Want want = Want::kLease;
    bool done = false;       // the source has carried out what is wanted
    bool confirmed = false;  // it has said once that it holds the fence
    MonoTime renew;          // when it is due again
    Error error;             // of the last order
  };
  static Duration lasts(Want want);
  FenceNumber next_number();
  Task<Status> order(std::string topic, StillWanted wanted, Deadline deadline);
  Task<void> order_in_background(std::string topic);
  Task<void> order_what_is_due();
  // Fences of this link at the source that it does not know of yet. False: the source does not answer.
  Task<bool> find_at_source(std::vector<std::pair<std::string, int32_t>> asked, Deadline deadline);
  Task<void> find_left_behind();
  void judge(const std::string& source_topic, const MirrorTopicAnswer& found);
  bool known(const std::string& topic) const { return fences_.count(topic) != 0; }

  Env& env_;
  const LinkDefinition& definition_;
  SourceCluster& source_;
  LinkTarget& target_;
  const MirrorTopics& topics_;
  Event& stopping_;
  Notifier wake_;
  int64_t attempts_ = 0;
  std::map<std::string, Fence> fences_;
  std::set<std::string> looked_at_;  // names at the target of topics whose fences have been looked for
};

}  // namespace farshore::linker
