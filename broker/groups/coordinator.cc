#include "broker/groups/coordinator.h"

#include <array>
#include <utility>

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

constexpr Duration kOpenMax = seconds(30);    // until a partition's log is open
constexpr Duration kCreateMax = seconds(10);  // until the topic is made
constexpr Duration kLoadRetry = seconds(1);   // after a load that failed
constexpr size_t kLoadsAtOnce = 4;

}  // namespace

GroupCoordinator::GroupCoordinator(Env& env, SlabArena& arena, InternalTopics& topics, GroupOptions options)
    : env_(env),
      arena_(arena),
      topics_(topics),
      options_(options),
      metrics_(env.metrics()),
      members_memory_(std::make_shared<Budget>(env, "group members", options.members_bytes_max)),
      self_(std::make_shared<GroupCoordinator*>(this)),
      stopping_(env),
      gate_(env) {
  env_.metrics().on_collect([self = self_] {
    if (*self) (*self)->count_groups();
  });
}

GroupCoordinator::~GroupCoordinator() { *self_ = nullptr; }

InternalTopic GroupCoordinator::topic() const {
  InternalTopic topic;
  topic.name = kOffsetsTopic;
  topic.partitions = options_.partitions;
  // Kafka's choices; the size limit follows our batches.
  topic.configs = {{"cleanup.policy", "compact"},
                   {"compression.type", "producer"},
                   {"segment.bytes", std::to_string(options_.segment_bytes)},
                   {"max.message.bytes", std::to_string(options_.batch_bytes_max * 2)}};
  return topic;
}

void GroupCoordinator::start() {
  if (know_partitions()) load_all();
  spawn(gate_, "group expiry", sweep());
}

Task<void> GroupCoordinator::stop() {
  stopping_.set();
  for (auto& [partition, slot] : slots_) co_await slot.shard->runtime().close();
  co_await gate_.close();
}

// --- shards ---

bool GroupCoordinator::know_partitions() {
  if (partitions_ == 0) partitions_ = topics_.partition_count(kOffsetsTopic);  // then it never changes
  return partitions_ > 0;
}

GroupCoordinator::Slot& GroupCoordinator::slot(int32_t partition) {
  auto& slot = slots_[partition];
  if (!slot.shard)
    slot.shard = std::make_unique<GroupShard>(env_, arena_, options_, metrics_, members_memory_, partition);
  return slot;
}

GroupCoordinator::Found GroupCoordinator::shard_of(const std::string& group) {
  Found found;
  if (stopping_.is_set()) {
    found.error = Code::kCoordinatorNotAvailable;
  } else if (!know_partitions()) {
    found.error = Code::kNotCoordinator;
  } else {
    const int32_t partition = group_partition(group, partitions_);
    found.shard = slot(partition).shard.get();
    begin_load(partition);
    found.error = found.shard->status();
  }
  return found;
}

void GroupCoordinator::begin_load(int32_t partition) {
  auto& slot = this->slot(partition);
  if (slot.loading || !slot.shard->runtime().may_load() || env_.now() < slot.retry_at) return;
  slot.loading = spawn(gate_, "group load", load(partition));
}

void GroupCoordinator::load_all() {
  size_t under_way = 0;
  for (const auto& [partition, slot] : slots_) under_way += slot.loading ? 1 : 0;
  for (int32_t partition = 0; partition < partitions_ && under_way < kLoadsAtOnce; ++partition) {
    if (!slot(partition).shard->runtime().loading() || slot(partition).loading) continue;
    begin_load(partition);
    under_way += slot(partition).loading ? 1 : 0;
  }
}

Task<void> GroupCoordinator::load(int32_t partition) {
  CoordinatorRuntime& runtime = slot(partition).shard->runtime();
  auto log = co_await topics_.open(kOffsetsTopic, partition, env_.in(kOpenMax));
  if (!log) {
    runtime.give_up(log.error());
  } else if (!stopping_.is_set()) {
    auto loaded = co_await runtime.load(std::move(*log));
    if (!loaded && !stopping_.is_set())
      env_.log().error("group state could not be loaded", {{"partition", partition}, {"error", loaded.error()}});
  }
  auto& slot = this->slot(partition);
  slot.loading = false;
  slot.retry_at = env_.now() + kLoadRetry;
  if (!stopping_.is_set()) load_all();
}

Task<Code> GroupCoordinator::find(std::string group) {
  if (stopping_.is_set()) co_return Code::kCoordinatorNotAvailable;
  if (!know_partitions()) {
    InternalTopic wanted = topic();
    auto made = co_await topics_.ensure_topic(std::move(wanted), env_.in(kCreateMax));
    if (!made) {
      env_.log().warn("the topic of group state could not be made", {{"error", made.error()}});
      co_return Code::kCoordinatorNotAvailable;
    }
    if (!know_partitions()) co_return Code::kCoordinatorNotAvailable;
    if (!stopping_.is_set()) load_all();
  }
  const Code status = shard_of(group).error;
  // Being loaded is for the requests to say: the coordinator is found.
  co_return status == Code::kCoordinatorLoadInProgress ? Code::kNone : status;
}

Task<void> GroupCoordinator::sweep() {
  while (!stopping_.is_set()) {
    auto stopped = co_await stopping_.wait(env_.in(options_.retention_check));
    if (stopped || !(stopped.error() == ErrorCode::kTimedOut)) co_return;
    for (auto& [partition, slot] : slots_) slot.shard->expire_offsets();
  }
}

// --- requests ---

std::string GroupCoordinator::new_member_id(const std::string& prefix) {
  static constexpr char digits[] = "0123456789abcdef";
  const Uuid uuid = env_.random().uuid();
  std::string id = prefix + "-";
  for (size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) id += '-';
    id += digits[uuid.bytes[i] >> 4];
    id += digits[uuid.bytes[i] & 15];
  }
  return id;
}

Code GroupCoordinator::hold(const Group* group, JoinRequest& request) {
  const size_t bytes = memory_bytes(request);
  if (bytes > options_.member_bytes_max) return Code::kMessageTooLarge;
  for (const auto& protocol : request.protocols)
    if (record_bytes(request, protocol) > options_.batch_bytes_max) return Code::kMessageTooLarge;
  // A member that joins again gives back what it holds: otherwise no group could rebalance when the memory is used up.
  const size_t before = group ? group->held_bytes(request) : 0;
  const size_t others = members_memory_->used_bytes() - before;
  if (others + bytes > members_memory_->bytes_max() && bytes > before) return Code::kCoordinatorNotAvailable;
  request.held = hold_memory(members_memory_, bytes);
  return Code::kNone;
}

Task<JoinAnswer> GroupCoordinator::join(std::string group, JoinRequest request, Notifier* gone) {
  JoinAnswer refused;
  refused.member_id = request.member_id;
  if (group.empty()) {
    refused.error = Code::kInvalidGroupId;
  } else if (request.session_timeout_ms < options_.session_timeout_min_ms ||
             request.session_timeout_ms > options_.session_timeout_max_ms) {
    refused.error = Code::kInvalidSessionTimeout;
  }
  if (refused.error != Code::kNone) co_return refused;
  const Found found = shard_of(group);
  refused.error = found.error != Code::kNone ? found.error : hold(found.shard->group(group), request);
  if (refused.error != Code::kNone) co_return refused;
  request.new_member_id = new_member_id(request.instance_id ? *request.instance_id : request.client_id);
  auto reply = found.shard->join(group, std::move(request));
  auto answer = co_await reply.wait(Deadline::never(), gone);  // the group's own time limits answer it
  if (answer) co_return std::move(*answer);
  refused.error = Code::kCoordinatorNotAvailable;
  co_return refused;
}

Task<SyncAnswer> GroupCoordinator::sync(std::string group, SyncRequest request, Notifier* gone) {
  SyncAnswer refused;
  refused.error = group.empty() ? Code::kInvalidGroupId : Code::kNone;
  if (refused.error != Code::kNone) co_return refused;
  const Found found = shard_of(group);
  refused.error = found.error;
  if (refused.error != Code::kNone) co_return refused;
  auto reply = found.shard->sync(group, std::move(request));
  auto answer = co_await reply.wait(Deadline::never(), gone);  // as above
  if (answer) co_return std::move(*answer);
  refused.error = Code::kCoordinatorNotAvailable;
  co_return refused;
}

Code GroupCoordinator::heartbeat(const std::string& group, const MemberIdentity& member, int32_t generation) {
  if (group.empty()) return Code::kInvalidGroupId;
  const Found found = shard_of(group);
  // Whether the member is one is not known yet; it must not be sent away for that.
  if (found.error == Code::kCoordinatorLoadInProgress) return Code::kNone;
  return found.error != Code::kNone ? found.error : found.shard->heartbeat(group, member, generation);
}

GroupCoordinator::LeaveAnswer GroupCoordinator::leave(const std::string& group,
                                                      const std::vector<MemberIdentity>& members) {
  LeaveAnswer answer;
  answer.error = group.empty() ? Code::kInvalidGroupId : Code::kNone;
  if (answer.error != Code::kNone) return answer;
  const Found found = shard_of(group);
  answer.error = found.error;
  if (answer.error == Code::kNone) answer.members = found.shard->leave(group, members);
  return answer;
}

Task<Code> GroupCoordinator::commit(GroupShard::Commit commit) {
  const Found found = shard_of(commit.group);
  if (found.error != Code::kNone) co_return found.error;
  auto reply = found.shard->commit(std::move(commit));
  auto answer = co_await reply.wait(env_.in(options_.commit_max));
  co_return answer ? *answer : Code::kCoordinatorNotAvailable;
}

GroupCoordinator::Fetched GroupCoordinator::fetch(const std::string& group) {
  const Found found = shard_of(group);
  Fetched fetched;
  fetched.error = found.error;
  if (found.error == Code::kNone) fetched.offsets = found.shard->offsets(group);
  return fetched;
}

Task<Code> GroupCoordinator::delete_group(std::string group) {
  // The empty id too: old consumers without a group commit to it.
  const Found found = shard_of(group);
  if (found.error != Code::kNone) co_return found.error;
  auto reply = found.shard->delete_group(group);
  auto answer = co_await reply.wait(env_.in(options_.commit_max));
  co_return answer ? *answer : Code::kCoordinatorNotAvailable;
}

Task<GroupShard::OffsetDelete> GroupCoordinator::delete_offsets(std::string group,
                                                                std::vector<TopicPartition> partitions) {
  GroupShard::OffsetDelete refused;
  refused.error = Code::kInvalidGroupId;
  if (group.empty()) co_return refused;
  const Found found = shard_of(group);
  refused.error = found.error;
  if (found.error != Code::kNone) co_return refused;
  auto reply = found.shard->delete_offsets(group, std::move(partitions));
  auto answer = co_await reply.wait(env_.in(options_.commit_max));
  if (answer) co_return std::move(*answer);
  refused.error = Code::kCoordinatorNotAvailable;
  co_return refused;
}

GroupCoordinator::Listed GroupCoordinator::list() {
  Listed listed;
  if (stopping_.is_set()) {
    listed.error = Code::kCoordinatorNotAvailable;
    return listed;
  }
  if (!know_partitions()) return listed;
  for (int32_t partition = 0; partition < partitions_; ++partition) {
    GroupShard& shard = *slot(partition).shard;
    if (shard.runtime().loading()) {
      listed.error = Code::kCoordinatorLoadInProgress;
      begin_load(partition);
    }
    if (shard.status() != Code::kNone) continue;
    auto groups = shard.groups();
    listed.groups.insert(listed.groups.end(), groups.begin(), groups.end());
  }
  if (listed.error != Code::kNone) listed.groups.clear();
  return listed;
}

GroupCoordinator::Described GroupCoordinator::describe(const std::string& group) {
  Described described;
  described.group.state = group_state_name(GroupState::kDead);
  const Found found = shard_of(group);
  described.error = found.error;
  if (found.error != Code::kNone) return described;
  const Group* there = found.shard->group(group);
  if (there)
    described.group = there->describe();
  else
    described.error = Code::kGroupIdNotFound;
  return described;
}

void GroupCoordinator::topic_deleted(const std::string& topic) {
  if (stopping_.is_set() || !know_partitions()) return;
  for (int32_t partition = 0; partition < partitions_; ++partition) slot(partition).shard->forget_topic(topic);
}

void GroupCoordinator::count_groups() {
  std::array<size_t, 5> counts{};
  for (const auto& [partition, slot] : slots_)
    for (const Group* group : slot.shard->groups()) ++counts[static_cast<size_t>(group->state())];
  for (size_t state = 0; state < counts.size(); ++state)
    env_.metrics()
        .gauge("farshore_broker_groups_count", "Consumer groups, by state.",
               {{"state", std::string(group_state_name(static_cast<GroupState>(state)))}})
        .set(static_cast<double>(counts[state]));
}

}  // namespace farshore::broker
