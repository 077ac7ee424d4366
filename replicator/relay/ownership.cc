#include "replicator/relay/ownership.h"

#include <algorithm>
#include <utility>

namespace farshore::replicator {

namespace {

constexpr Duration kLifetimeDefault = hours(7 * 24);  // transactional.id.expiration.ms where it cannot be read
constexpr Duration kLifetimeAskEvery = hours(1);
constexpr Duration kUseEveryMin = milliseconds(500), kUseEveryMax = hours(24);
constexpr Duration kRoundMin = milliseconds(250);
constexpr size_t kUsesAtOnceMax = 16;

}  // namespace

RelayOwnership::RelayOwnership(Env& env, kafka::ClusterClient& cluster, const RelaySinkOptions& options,
                               RelayShards& shards, Partitions& partitions, Gate& gate)
    : env_(env),
      cluster_(cluster),
      options_(options),
      shards_(shards),
      partitions_(partitions),
      gate_(gate),
      wake_(env),
      lifetime_(kLifetimeDefault) {
  ensure(options.ownership_max + options.timeout <= options.old_producer_wait,
         "a former owner has sent its last before a new one reads what it left");
}

void RelayOwnership::start() {
  if (started_) return;
  started_ = true;
  spawn(gate_, "relay ownership", run());
}

Duration RelayOwnership::use_every() const { return std::clamp<Duration>(lifetime_ / 4, kUseEveryMin, kUseEveryMax); }

Task<void> RelayOwnership::run() {
  while (!wake_.closed()) {
    // First: until it is known, the rounds may be too far apart for this cluster.
    if (!lifetime_asked_ || env_.now() - *lifetime_asked_ > kLifetimeAskEvery) co_await learn_lifetime();
    co_await round();
    const Duration pause = std::clamp<Duration>(use_every() / 2, kRoundMin, options_.ownership_check_every);
    (void)co_await wake_.wait(env_.in(pause));
  }
}

RelayOwnership::Sessions RelayOwnership::drop_ended() {
  Sessions sessions;
  for (const OwnedPartition& each : partitions_.owned()) {
    if (Status going_on = shards_.check(each.key, each.session); !going_on) {
      partitions_.lost(each, going_on.error());
    } else if (auto session = shards_.session(each.key)) {
      std::string id = session->id;
      sessions.try_emplace(std::move(id), std::move(*session));
    }
  }
  return sessions;
}

void RelayOwnership::confirm(const RelayShards::Session& session, MonoTime asked) {
  for (const OwnedPartition& each : partitions_.owned()) {
    if (each.session == session.number) partitions_.still_owned(each, asked);
  }
}

Task<void> RelayOwnership::round() {
  const Sessions sessions = drop_ended();
  if (sessions.empty()) co_return;
  std::vector<std::string> ids;
  for (const auto& [id, session] : sessions) ids.push_back(id);
  const MonoTime asked = env_.now();
  auto owners = co_await kafka::id_owners(cluster_, std::move(ids), env_.in(options_.ownership_check_every));
  const bool unsupported = !owners && owners.error() == ErrorCode::kUnsupported;
  if (unsupported && !std::exchange(told_unsupported_, true))
    env_.log().warn(
        "the target cannot say who owns a transactional id (older than Apache Kafka 3.0): never run two gateways of "
        "one link against it",
        {{"error", owners.error()}});
  for (const auto& [id, session] : sessions) {
    Status ours = owners ? shards_.judge(session, *owners) : Status(owners.error());
    if (ours || unsupported)
      confirm(session, asked);
    else if (ours.error() == ErrorCode::kFenced)
      shards_.end(id, session.number, ours.error());
  }
  (void)drop_ended();
  use_ids(sessions);
}

Task<void> RelayOwnership::learn_lifetime() {
  auto lifetime = co_await kafka::id_lifetime(cluster_, env_.in(options_.ownership_check_every));
  if (lifetime) lifetime_ = *lifetime;
  if (lifetime || !error_retriable(lifetime.error().code)) lifetime_asked_ = env_.now();
}

void RelayOwnership::use_ids(const Sessions& sessions) {
  for (const auto& [id, session] : sessions) {
    const auto now = shards_.session_of(id);  // a takeover is a use
    if (!now || now->number != session.number || env_.now() - now->used < use_every()) continue;
    if (using_.size() >= kUsesAtOnceMax || !using_.insert(id).second) continue;
    if (!spawn(gate_, "relay id use", use_id(*now))) using_.erase(id);
  }
}

Task<void> RelayOwnership::use_id(RelayShards::Session session) {
  const std::string id = session.id;
  auto used = co_await shards_.use(std::move(session));  // tried again in the next round, or the session has ended
  using_.erase(id);
  if (!used && !shards_.session_of(id)) wake_.notify();
}

}  // namespace farshore::replicator
