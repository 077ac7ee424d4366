// GroupSync: carries the committed offsets of the source's consumer groups over to the target, translated, as far as
// the records are mirrored (group_sync_rule.h). It also visits the groups that this link has committed and that the
// source does not list any more: what the link committed for them leaves the target. Groups that the filters do not
// select any more, or all of them once group sync is off, are still visited, every kUnselectedInterval: their last
// commits stay, with the state NOT_SELECTED, until the source deletes the group or a consumer of the target goes on.
//
// A round takes kGroupsAtOnce groups at a time. A round that ends early (its deadline, or a promotion that waits) goes
// on in the next one where it stopped, so that no group is always last. A group whose coordinator does not answer holds
// up a round for kGroupLimit at most. A promotion asks for a round of its own, over all groups; promotions that wait
// together share one. Groups that fail in it do not keep the promotion from its end: it is told which they are. Rounds
// run one at a time.
// Executor: the Env's. Owner: Link.
#pragma once

#include <map>

#include "linker/link/tasks/group_memory_store.h"
#include "linker/link/tasks/periodic_task.h"

namespace farshore::linker {

class GroupSync final : public PeriodicTask {
 public:
  // `store` outlives it.
  GroupSync(LinkParts link, LinkStore& store);

  struct NotCarried {
    std::vector<std::string> groups;
    std::string why;                // of one of them
    std::string to_string() const;  // empty: all were carried over
  };
  // One round over all groups, begun after this call; not counted as one of the task. Returns the groups that failed in
  // it. kTimedOut: not all were visited. Other errors: the groups cannot be listed, or another gateway has the link.
  Task<Result<NotCarried>> sync(Deadline deadline);
  // What was decided last for each group.
  api::ListGroupSyncReply shown() const;
  // What it means for the groups if the link is defined so: one line if the link has committed for groups that it does
  // not select.
  std::vector<std::string> notes_on(const LinkSpec& spec) const;

 private:
  static constexpr int kGroupsAtOnce = 32;
  static constexpr Duration kGroupLimit = seconds(5);  // of one visit
  static constexpr Duration kUnselectedInterval = seconds(30);
  static constexpr size_t kNamedGroupsMax = 5;  // in a note
  static std::string named(const std::vector<std::string>& groups);

  struct Visit {
    GroupInfo group;
    bool selected = true, members_at_target = false;
  };
  struct Round {  // shared by the workers of one round
    std::vector<Visit> visits;
    size_t next = 0;
    bool for_promotion = false;
    Deadline deadline = Deadline::never();
    Status result;
    NotCarried failed;
  };

  bool enabled() const override { return LinkTask::enabled() && link_.definition.spec().group_sync; }
  bool due() const override;
  Duration interval() const override;
  Task<Status> round(Deadline deadline) override;

  Task<Result<NotCarried>> run_round(bool for_promotion, Deadline deadline);  // with turn_ held
  // With groups that are not selected, if they are due.
  Task<Result<std::vector<Visit>>> visits(bool for_promotion, Deadline deadline);
  Task<void> work(Round& round);
  bool ends_early(const Round& round) const;
  Task<Status> sync_group(Visit visit, Deadline deadline);
  Task<Status> commit(std::string group, GroupOffsets offsets, Deadline deadline);
  // Before anything is deleted because the source does not have it: a source that was wiped has no groups either.
  Task<Status> check_source(Deadline deadline);

  GroupMemoryStore memory_;
  AsyncMutex turn_;
  int promotions_waiting_ = 0;
  uint64_t rounds_begun_ = 0, last_whole_round_ = 0;
  NotCarried left_by_last_whole_round_;
  MonoTime unselected_visited_;  // when the groups that are not selected were visited last
  std::string go_on_at_;         // the first group that the last round left out; empty: none
  std::map<std::string, api::GroupSync> shown_;
};

}  // namespace farshore::linker
