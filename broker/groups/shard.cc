#include "broker/groups/shard.h"

#include <utility>

#include "base/ensure.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

}  // namespace

GroupMetrics::GroupMetrics(MetricRegistry& registry)
    : commits(registry.counter("farshore_broker_group_commits_total", "Offsets committed by consumer groups.")),
      expired(
          registry.counter("farshore_broker_group_offsets_expired_total", "Committed offsets removed by retention.")),
      rebalances(registry.counter("farshore_broker_group_rebalances_total", "Rebalances begun.")),
      members_lost(registry.counter("farshore_broker_group_members_lost_total", "Members removed for their silence.")),
      batches(registry.counter("farshore_broker_group_batches_total", "Batches appended to __consumer_offsets.")),
      failures(registry.counter("farshore_broker_group_failures_total", "Failed appends and loads of group state.")),
      loading(
          registry.gauge("farshore_broker_group_partitions_loading_count", "Partitions of group state being read.")) {}

GroupShard::GroupShard(Env& env, SlabArena& arena, const GroupOptions& options, GroupMetrics& metrics,
                       int32_t partition)
    : env_(env), arena_(arena), options_(options), metrics_(metrics), partition_(partition), gate_(env) {}

GroupShard::~GroupShard() {
  for (auto& [id, entry] : groups_)
    if (entry->timer) env_.cancel(entry->timer);
}

Code GroupShard::status() const {
  switch (state_) {
    case State::kActive:
      return Code::kNone;
    case State::kNew:
    case State::kLoading:
      return Code::kCoordinatorLoadInProgress;
    case State::kFailed:
    case State::kClosed:
      return Code::kNotCoordinator;
  }
  return Code::kNotCoordinator;
}

GroupNow GroupShard::now() const {
  GroupNow now;
  now.mono = env_.now();
  now.wall = env_.wall_now();
  return now;
}

// --- groups ---

GroupShard::EntryPtr GroupShard::entry(const std::string& group) const {
  auto it = groups_.find(group);
  return it == groups_.end() ? nullptr : it->second;
}

GroupShard::EntryPtr GroupShard::make_entry(const std::string& group) {
  auto& slot = groups_[group];
  if (!slot) slot = std::make_shared<Entry>(Group(group, options_.group, env_.wall_now()));
  return slot;
}

void GroupShard::erase_entry(const std::string& group) {
  auto it = groups_.find(group);
  if (it == groups_.end()) return;
  if (it->second->timer) env_.cancel(std::exchange(it->second->timer, 0));
  groups_.erase(it);
}

const Group* GroupShard::group(const std::string& group) const {
  auto found = entry(group);
  return found ? &found->group : nullptr;
}

std::vector<const Group*> GroupShard::groups() const {
  std::vector<const Group*> out;
  out.reserve(groups_.size());
  for (const auto& [id, entry] : groups_) out.push_back(&entry->group);
  return out;
}

const GroupOffsets* GroupShard::offsets(const std::string& group) const {
  auto it = offsets_.find(group);
  return it == offsets_.end() ? nullptr : &it->second;
}

Reply<JoinAnswer> GroupShard::join(const std::string& group, JoinRequest request) {
  auto entry = this->entry(group);
  if (!entry) {
    if (!request.member_id.empty()) {  // of a group that is gone: it starts anew
      JoinAnswer answer;
      answer.error = Code::kUnknownMemberId;
      answer.member_id = request.member_id;
      return completed(env_, std::move(answer));
    }
    entry = make_entry(group);
  }
  const Ticket ticket = ++last_ticket_;
  Reply<JoinAnswer> reply(env_);
  joins_.emplace(ticket, reply);
  GroupEffects effects;
  entry->group.join(std::move(request), ticket, now(), effects);
  carry_out(entry, std::move(effects));
  return reply;
}

Reply<SyncAnswer> GroupShard::sync(const std::string& group, SyncRequest request) {
  auto entry = this->entry(group);
  if (!entry) {
    SyncAnswer answer;
    answer.error = Code::kUnknownMemberId;
    return completed(env_, std::move(answer));
  }
  const Ticket ticket = ++last_ticket_;
  Reply<SyncAnswer> reply(env_);
  syncs_.emplace(ticket, reply);
  GroupEffects effects;
  entry->group.sync(std::move(request), ticket, now(), effects);
  carry_out(entry, std::move(effects));
  return reply;
}

Code GroupShard::heartbeat(const std::string& group, const MemberIdentity& member, int32_t generation) {
  auto entry = this->entry(group);
  if (!entry) return Code::kUnknownMemberId;
  const Code code = entry->group.heartbeat(member, generation, now());
  arm(entry);
  return code;
}

std::vector<Code> GroupShard::leave(const std::string& group, const std::vector<MemberIdentity>& members) {
  auto entry = this->entry(group);
  if (!entry) return std::vector<Code>(members.size(), Code::kUnknownMemberId);
  GroupEffects effects;
  auto codes = entry->group.leave(members, now(), effects);
  carry_out(entry, std::move(effects));
  return codes;
}

void GroupShard::carry_out(const EntryPtr& entry, GroupEffects effects) {
  for (const auto& note : effects.notes) {
    const bool rebalance = note.what == GroupEffects::Note::What::kRebalance;
    if (rebalance) metrics_.rebalances.add();
    if (note.what == GroupEffects::Note::What::kMemberLost) metrics_.members_lost.add();
    env_.log().info(rebalance ? "group rebalances" : "group member gone",
                    {{"group", entry->group.id()}, {"generation", entry->group.generation()}, {"why", note.text}});
  }
  for (auto& [ticket, answer] : effects.joins) {
    auto node = joins_.extract(ticket);
    ensure(!node.empty(), "a join is answered once");
    node.mapped().complete(std::move(answer));
  }
  for (auto& [ticket, answer] : effects.syncs) {
    auto node = syncs_.extract(ticket);
    ensure(!node.empty(), "a sync is answered once");
    node.mapped().complete(std::move(answer));
  }
  for (auto& write : effects.writes) {
    GroupRecord record;
    record.group = entry->group.id();
    record.value = std::move(write.value);
    Operation operation;
    operation.records.push_back(std::move(record));
    operation.done = [this, entry, token = write.token](Code error) {
      if (error == Code::kMessageTooLarge || error == Code::kInvalidRequest) error = Code::kUnknownServerError;
      GroupEffects next;
      entry->group.written(token, error, now(), next);
      carry_out(entry, std::move(next));
    };
    enqueue(std::move(operation));
  }
  arm(entry);
}

void GroupShard::arm(const EntryPtr& entry) {
  const MonoTime at = entry->group.next_deadline();
  if (at >= entry->timer_at || this->entry(entry->group.id()) != entry) return;
  if (entry->timer) env_.cancel(entry->timer);
  entry->timer_at = at;
  std::weak_ptr<Entry> weak = entry;
  entry->timer = env_.arm(at, [this, weak] {
    if (auto alive = weak.lock()) on_timer(alive);
  });
}

void GroupShard::on_timer(const EntryPtr& entry) {
  entry->timer = 0;
  entry->timer_at = MonoTime::max();
  GroupEffects effects;
  entry->group.expire(now(), effects);
  carry_out(entry, std::move(effects));
}

}  // namespace farshore::broker
