#include "replicator/relay/shards.h"

#include <algorithm>
#include <utility>

#include "proto/kafka/client/fence.h"

namespace farshore::replicator {

namespace {

constexpr int kLostRacesMax = 5;
constexpr Duration kShardLookEvery = milliseconds(20);  // while a fence is under way

Error shard_was_taken(const std::string& id, const std::string& how) {
  return {ErrorCode::kFenced, "another gateway has taken the partition over: " + how + " (" + id + ")"};
}

// One of several partitions may be the reason.
bool speaks_of_a_partition(const Error& error) {
  return error == ErrorCode::kNotFound || error == ErrorCode::kPermissionDenied;
}

}  // namespace

std::string relay_shard_id(const LinkPartition& key) {
  return "farshore." + key.link.to_string() + ".shard." + std::to_string(translation_log_partition(key));
}

std::string relay_partition_id(const LinkPartition& key) {
  return "farshore." + key.link.to_string() + "." + key.source_topic.to_string() + "." +
         std::to_string(key.partition.value());
}

RelayShards::Shard* RelayShards::find(const LinkPartition& key) const {
  auto it = shards_.find(relay_shard_id(key));
  return it == shards_.end() ? nullptr : it->second.get();
}

Status RelayShards::check(const LinkPartition& key, uint64_t session) const {
  const Shard* shard = find(key);
  if (!shard || !shard->current) return shard ? Status(shard->ended) : Status(Error(ErrorCode::kUnavailable));
  if (shard->session == session) return ok();
  return Error(ErrorCode::kUnavailable, "this gateway took the partition's shard over again (" + relay_shard_id(key) +
                                            "), and so the partition");
}

std::optional<RelayShards::Session> RelayShards::session_of(const std::string& id) const {
  auto it = shards_.find(id);
  if (it == shards_.end() || !it->second->current) return std::nullopt;
  const Shard& shard = *it->second;
  return Session{id, shard.session, *shard.current, shard.log, shard.used};
}

void RelayShards::end_session(Shard& shard, Error why) {
  shard.current.reset();
  shard.raising = false;
  shard.ended = std::move(why);
}

void RelayShards::end(const std::string& id, uint64_t session, Error why) {
  auto it = shards_.find(id);
  if (it == shards_.end()) return;
  Shard& shard = *it->second;
  if (shard.current && shard.session == session) end_session(shard, std::move(why));
}

Task<Result<RelayShards::Fenced>> RelayShards::fence(LinkPartition key, TopicPartition at, TopicPartition log,
                                                     Deadline deadline) {
  const std::string id = relay_shard_id(key);
  auto& shard = shards_[id];
  if (!shard) shard = std::make_unique<Shard>(env_);
  shard->log = std::move(log);
  auto wish = std::make_shared<Wish>(env_, std::move(at));
  shard->waiting.push_back(wish);
  if (!shard->working) shard->working = spawn(gate_, "relay fence", work(id));
  if (!shard->working) co_return Error(ErrorCode::kClosed);
  CO_CHECK(co_await wish->done.wait(deadline));
  co_return std::move(wish->result);
}

Task<Result<RelayShards::Fenced>> RelayShards::log_writer(LinkPartition key, TopicPartition log, Deadline deadline) {
  for (;;) {
    const Shard* shard = find(key);
    // A fence that is under way may begin a session. A second one may have the log only if it begins one itself.
    if (shard && shard->working) {
      if (deadline.passed(env_.now())) co_return Error(ErrorCode::kTimedOut, "a fence of " + relay_shard_id(key));
      co_await env_.sleep(kShardLookEvery);
      continue;
    }
    if (!shard || !shard->current) co_return co_await fence(key, log, log, deadline);
    Fenced fenced;
    fenced.producer = *shard->current;
    fenced.log = shard->log_owner;
    fenced.session = shard->session;
    fenced.asked = shard->used;
    co_return fenced;
  }
}

Task<void> RelayShards::work(std::string id) {
  Shard& shard = *shards_.at(id);
  co_await env_.sleep(Duration::zero());  // the others of this turn
  while (!shard.waiting.empty()) {
    Wishes wishes;
    const size_t count = std::min(shard.waiting.size(), kFencedTogetherMax);
    const auto last = shard.waiting.begin() + static_cast<std::ptrdiff_t>(count);
    wishes.assign(std::make_move_iterator(shard.waiting.begin()), std::make_move_iterator(last));
    shard.waiting.erase(shard.waiting.begin(), last);
    co_await carry_out(id, std::move(wishes));
  }
  shard.working = false;
}

Task<void> RelayShards::carry_out(std::string id, Wishes wishes) {
  std::vector<TopicPartition> partitions;
  for (const auto& wish : wishes) partitions.push_back(wish->at);
  auto fenced = co_await fence_together(id, std::move(partitions));
  if (!fenced && wishes.size() > 1 && speaks_of_a_partition(fenced.error())) {
    const auto middle = wishes.begin() + static_cast<std::ptrdiff_t>(wishes.size() / 2);
    Wishes first(wishes.begin(), middle), second(middle, wishes.end());
    co_await carry_out(id, std::move(first));
    co_await carry_out(id, std::move(second));
    co_return;
  }
  for (const auto& wish : wishes) {
    wish->result = fenced;
    wish->done.set();
  }
}

Task<Result<RelayShards::Fenced>> RelayShards::fence_together(std::string id, std::vector<TopicPartition> partitions) {
  Shard& shard = *shards_.at(id);
  auto turn = co_await shard.turn.lock();
  const Deadline deadline = env_.in(options_.takeover_limit);
  for (int lost = 1;; ++lost) {
    Fenced fenced;
    fenced.asked = env_.now();
    bool begins = false;
    auto producer = co_await attempt(id, partitions, begins, deadline);
    if (producer) {
      if (begins) {
        shard.session = ++sessions_;
        shard.log_owner = *producer;
        shard.ended = {};
      }
      shard.current = *producer;
      shard.used = fenced.asked;
      fenced.producer = *producer;
      fenced.log = shard.log_owner;
      fenced.session = shard.session;
      co_return fenced;
    }
    // At a beginning, a delayed request of an earlier process may have raised the epoch after us. In a session that
    // cannot be told from another gateway, so it has ended.
    if (producer.error() != ErrorCode::kFenced || !begins || lost == kLostRacesMax)
      co_return std::move(producer).error().in("takeover of " + id);
    CO_CHECK(co_await cluster_.pause(lost, deadline));
  }
}

Task<Result<kafka::ProducerIdentity>> RelayShards::attempt(std::string id, std::vector<TopicPartition> partitions,
                                                           bool& begins, Deadline deadline) {
  Shard& shard = *shards_.at(id);
  begins = !shard.current;
  const uint64_t session = shard.session;
  CO_TRY(const kafka::ProducerIdentity producer, co_await raise(id, begins, deadline));
  if (options_.test_only_skip_marker) co_return producer;
  if (begins && std::find(partitions.begin(), partitions.end(), shard.log) == partitions.end())
    partitions.push_back(shard.log);
  auto sent = co_await kafka::send_markers(cluster_, id, producer, std::move(partitions), deadline);
  if (sent && !begins && !shard.current) co_return shard.ended;  // by what the cluster said of the owner
  if (sent) co_return producer;
  const Error why = std::move(sent).error();
  // A transaction whose end is not known is aborted by the cluster under an epoch that is not ours.
  if (shard.current && shard.session == session && (begins || !speaks_of_a_partition(why))) end_session(shard, why);
  co_return why;
}

Task<Result<kafka::ProducerIdentity>> RelayShards::raise(std::string id, bool& begins, Deadline deadline) {
  if (!begins) {
    const kafka::ProducerIdentity before = *shards_.at(id)->current;
    auto raised = co_await raise_own(id, deadline);
    if (raised && raised->id == before.id) co_return raised;
    if (!raised && raised.error() != ErrorCode::kUnsupported) co_return raised;
    // The id was forgotten, or its epochs are used up, or the target is too old to be asked: a session begins.
    begins = true;
    if (raised) co_return raised;
  }
  co_return co_await kafka::raise_epoch(cluster_, id, deadline);
}

Task<Result<kafka::ProducerIdentity>> RelayShards::raise_own(std::string id, Deadline deadline) {
  Shard& shard = *shards_.at(id);
  const kafka::ProducerIdentity own = *shard.current;
  const uint64_t session = shard.session;
  const MonoTime asked = env_.now();
  shard.raising = true;
  auto raised = co_await kafka::raise_own_epoch(cluster_, id, own, deadline);
  if (!shard.current || shard.session != session) co_return shard.ended;
  const bool unknown = !raised && raised.error() != ErrorCode::kFenced && raised.error() != ErrorCode::kUnsupported;
  shard.raising = unknown;
  if (raised && raised->id == own.id) {
    shard.current = *raised;
    shard.used = asked;
  }
  if (raised || raised.error() != ErrorCode::kFenced) co_return raised;
  const Error why = shard_was_taken(id, "producer " + std::to_string(own.id) + " epoch " + std::to_string(own.epoch) +
                                            " does not own the id any more");
  end_session(shard, why);
  co_return why;
}

Status RelayShards::judge(const Session& asked, const kafka::IdOwners& owners) const {
  auto it = shards_.find(asked.id);
  if (it == shards_.end() || !it->second->current || it->second->session != asked.number)
    return Error(ErrorCode::kUnavailable, "the session has ended");
  const Shard& shard = *it->second;
  auto owner = owners.find(asked.id);
  if (owner == owners.end())
    return Error(ErrorCode::kUnavailable, "the target's coordinator does not say who owns " + asked.id + ": is it up?");
  if (!owner->second)
    return Error(ErrorCode::kFenced, "the target has forgotten the transactional id " + asked.id +
                                         " (not used for transactional.id.expiration.ms): another gateway may have "
                                         "taken the partition over");
  const kafka::ProducerIdentity found = *owner->second;
  // Between the question and now the session may have raised its epoch itself.
  if (found.id == asked.producer.id && found.epoch >= asked.producer.epoch && found.epoch <= shard.current->epoch)
    return ok();
  if (shard.raising) return Error(ErrorCode::kUnavailable, "the epoch is being raised");
  return shard_was_taken(asked.id,
                         "producer " + std::to_string(found.id) + " epoch " + std::to_string(found.epoch) + " owns it");
}

Task<Status> RelayShards::use(Session session) {
  Shard& shard = *shards_.at(session.id);
  auto turn = co_await shard.turn.lock();
  if (!shard.current || shard.session != session.number) co_return ok();  // somebody did more than that
  const Deadline deadline = env_.in(options_.takeover_limit);
  const MonoTime asked = env_.now();
  auto raised = co_await raise_own(session.id, deadline);
  if (raised && raised->id != session.producer.id) {
    // Forgotten, or its epochs are used up: the new producer id fences nobody.
    const Error why(ErrorCode::kUnavailable, "the target gave " + session.id + " another producer id");
    if (shard.current && shard.session == session.number) end_session(shard, why);
    co_return why;
  }
  if (raised) co_return ok();
  if (raised.error() != ErrorCode::kUnsupported) co_return std::move(raised).error();
  // The epoch stays, so the marker changes nothing.
  std::vector<TopicPartition> log{shard.log};
  auto used = co_await kafka::send_markers(cluster_, session.id, session.producer, std::move(log), deadline);
  if (used && shard.current && shard.session == session.number) shard.used = asked;
  co_return used;
}

}  // namespace farshore::replicator
