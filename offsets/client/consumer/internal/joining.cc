#include "offsets/client/consumer/internal/joining.h"

#include <utility>

namespace farshore::client {
namespace {

constexpr Joining::Millis kCarryCommit(5000);  // to commit at the target, before the group is joined there
constexpr Joining::Millis kStepAgain(1000);

}  // namespace

Joining::Joining(GroupMember::Options options, FailoverConsumer::Event event)
    : options_(std::move(options)), event_(std::move(event)) {}

std::unique_ptr<GroupMember> Joining::step(Millis now, Problem& problem) {
  if (now < again_at_) return nullptr;
  again_at_ = now + kStepAgain;
  if (!member_) member_ = GroupMember::open(options_, problem);
  if (!member_) return nullptr;
  if (!carried_) carry();
  problem = member_->subscribe();
  if (problem) return nullptr;
  return std::move(member_);
}

// Before the group is joined: a new member of the group then starts where the application has committed. What fails is
// committed as a member later.
void Joining::carry() {
  carried_ = true;
  if (options_.carried.empty()) return;
  auto failed = member_->commit_carried(kCarryCommit);
  if (failed) event_.text += " (commits not carried yet: " + failed.text + ")";
  for (auto& partition : event_.partitions) partition.committed = !failed && partition.committed_at >= 0;
}

Problem Joining::commit_delivered() {
  Problem later(Problem::Kind::kUnavailable,
                "commit: the consumer is joining its group; what was delivered is "
                "committed as soon as the group has given it its partitions");
  if (member_) {
    (void)member_->commit(later);
    return later;
  }
  for (const auto& key : options_.kept)
    if (auto found = options_.delivered.find(key); found != options_.delivered.end())
      options_.carried[key] = found->second;
  return later;
}

}  // namespace farshore::client
