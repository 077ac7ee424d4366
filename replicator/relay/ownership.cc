#include "replicator/relay/ownership.h"

#include <algorithm>
#include <utility>

#include "proto/kafka/client/fence.h"

namespace farshore::replicator {

namespace {

constexpr Duration kLifetimeDefault = hours(7 * 24);  // transactional.id.expiration.ms where it cannot be read
constexpr Duration kLifetimeAskEvery = hours(1);
constexpr Duration kUseEveryMin = milliseconds(500), kUseEveryMax = hours(24);
constexpr Duration kRoundMin = milliseconds(250);
constexpr int kUsesAtOnceMax = 16;

}  // namespace

std::string relay_transactional_id(const LinkPartition& key) {
  return "farshore." + key.link.to_string() + "." + key.source_topic.to_string() + "." +
         std::to_string(key.partition.value());
}

Status relay_owner_is(const kafka::IdOwners& owners, const std::string& transactional_id,
                      kafka::ProducerIdentity producer) {
  auto it = owners.find(transactional_id);
  if (it == owners.end())
    return Error(ErrorCode::kUnavailable,
                 "the target's coordinator does not say who owns " + transactional_id + ": is it up?");
  if (!it->second)
    return Error(ErrorCode::kFenced, "the target has forgotten the transactional id " + transactional_id +
                                         " (not used for transactional.id.expiration.ms): another gateway may have "
                                         "taken the partition over");
  if (*it->second == producer) return ok();
  return Error(ErrorCode::kFenced, "another gateway has taken the partition over: producer " +
                                       std::to_string(it->second->id) + " epoch " + std::to_string(it->second->epoch) +
                                       " owns " + transactional_id);
}

RelayOwnership::RelayOwnership(Env& env, kafka::ClusterClient& cluster, const RelaySinkOptions& options,
                               Partitions& partitions, Gate& gate)
    : env_(env),
      cluster_(cluster),
      options_(options),
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

Task<void> RelayOwnership::round() {
  const std::vector<OwnedPartition> owned = partitions_.owned();
  if (owned.empty()) co_return;
  std::vector<std::string> ids;
  for (const OwnedPartition& each : owned) ids.push_back(relay_transactional_id(each.key));
  const MonoTime asked = env_.now();
  auto owners = co_await kafka::id_owners(cluster_, std::move(ids), env_.in(options_.ownership_check_every));
  if (owners) {
    judge(owned, *owners, asked);
  } else if (owners.error() == ErrorCode::kUnsupported) {
    if (!std::exchange(told_unsupported_, true))
      env_.log().warn(
          "the target cannot say who owns a transactional id (older than Apache Kafka 3.0): never run two gateways of "
          "one link against it",
          {{"error", owners.error()}});
    for (const OwnedPartition& each : owned) partitions_.still_owned(each, asked);
  }
  use_ids(owned);
}

void RelayOwnership::judge(const std::vector<OwnedPartition>& owned, const kafka::IdOwners& owners, MonoTime asked) {
  for (const OwnedPartition& each : owned) {
    Status ours = relay_owner_is(owners, relay_transactional_id(each.key), each.producer);
    if (ours)
      partitions_.still_owned(each, asked);
    else if (ours.error() == ErrorCode::kFenced)
      partitions_.lost(each, ours.error());
  }
}

Task<void> RelayOwnership::learn_lifetime() {
  auto lifetime = co_await kafka::id_lifetime(cluster_, env_.in(options_.ownership_check_every));
  if (lifetime) lifetime_ = *lifetime;
  if (lifetime || !error_retriable(lifetime.error().code)) lifetime_asked_ = env_.now();
}

void RelayOwnership::use_ids(const std::vector<OwnedPartition>& owned) {
  std::map<LinkPartition, Used> used;
  for (const OwnedPartition& each : owned) {
    auto before = used_.find(each.key);
    Used& entry = used[each.key];
    entry = before != used_.end() && before->second.attempt == each.attempt ? before->second
                                                                            : Used{each.attempt, each.taken};
    if (env_.now() - entry.at < use_every() || using_ >= kUsesAtOnceMax) continue;
    entry.at = env_.now();
    if (spawn(gate_, "relay id use", use_id(each))) ++using_;
  }
  used_ = std::move(used);
}

// The marker goes to the log of record only, under the epoch that it has seen: it changes nothing there.
Task<void> RelayOwnership::use_id(OwnedPartition owned) {
  std::vector<TopicPartition> partitions{owned.log};
  auto used = co_await kafka::send_markers(cluster_, relay_transactional_id(owned.key), owned.producer,
                                           std::move(partitions), env_.in(options_.takeover_limit));
  --using_;
  if (!used && used.error() == ErrorCode::kFenced) {
    partitions_.lost(owned, used.error());
  } else if (!used) {  // tried again in the next round
    if (auto it = used_.find(owned.key); it != used_.end() && it->second.attempt == owned.attempt)
      it->second.at = env_.now() - use_every();
  }
}

}  // namespace farshore::replicator
