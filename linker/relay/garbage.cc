#include "linker/relay/garbage.h"

#include <map>

#include "proto/kafka/client/fence.h"
#include "proto/link/keys.h"
#include "proto/link/stored_link.h"
#include "replicator/relay/shards.h"

namespace farshore::linker {

Task<Status> RelayGarbage::collect(std::string link, Deadline deadline) {
  auto guard = co_await turn_.lock();
  owned_.clear();
  CO_TRY(auto all, co_await store_.list(std::string(kLinkKeyPrefix), deadline));
  std::map<std::string, LinkId> links;
  for (const auto& entry : all) {
    if (parse_link_key(entry.key).kind != LinkKey::Kind::kLink) continue;
    CO_TRY(auto stored, decode_stored_link(entry.value));
    links[stored.spec.name] = stored.id;
  }
  for (auto& entry : all) {
    const LinkKey key = parse_link_key(entry.key);
    if (key.kind == LinkKey::Kind::kLink || (!link.empty() && key.link != link)) continue;
    auto owner = links.find(key.link);
    if (key.kind == LinkKey::Kind::kRelayTopic) {
      CO_TRY(RelayTopic topic, decode_relay_topic(entry.value));
      if (owner != links.end() && owner->second == topic.link) continue;
      CO_CHECK(co_await forget_topic(std::move(topic), deadline));
    } else if (owner != links.end()) {
      continue;
    }
    entry.value.clear();
    auto deleted = co_await store_.replace(std::move(entry), deadline);
    // kConflict: another gateway has deleted the entry, or a new link of the same name has replaced it.
    if (!deleted && deleted.error() != ErrorCode::kConflict) co_return std::move(deleted).error();
  }
  co_return ok();
}

// Fences the log only, one shard at a time. The topics themselves stay as they are, and may be gone.
Task<Status> RelayGarbage::own_log(LinkPartition key, Deadline deadline) {
  const MonoTime now = env_.now();
  const std::string id = replicator::relay_shard_id(key);
  const Duration owned_max = replicator::RelaySinkOptions().ownership_max;
  if (auto it = owned_.find(id); it != owned_.end() && now < it->second.until - owned_max / 2) co_return ok();
  CO_TRY(TopicPartition log, co_await journal_.log_of(key, deadline));
  std::vector<TopicPartition> partitions{log};
  Owned owned;
  owned.until = now + owned_max;
  CO_TRY(owned.producer, co_await kafka::fence(cluster_, id, std::move(partitions), deadline));
  owned_[id] = owned;
  co_return ok();
}

Task<Status> RelayGarbage::forget_topic(RelayTopic topic, Deadline deadline) {
  if (topic.id.is_zero()) co_return ok();  // the topic was never made
  for (int32_t p = 0; p < topic.partitions; ++p) {
    const LinkPartition key{topic.link, topic.source_id, PartitionId(p)};
    CO_CHECK(co_await own_log(key, deadline));
    const Owned owned = owned_.at(replicator::relay_shard_id(key));
    CO_CHECK(co_await journal_.take_over(key, owned.producer, owned.until, deadline));
    CO_CHECK(co_await journal_.forget(key, deadline));
  }
  env_.log().info("the translation of a deleted link's topic is forgotten",
                  {{"topic", topic.topic}, {"link_id", topic.link.to_string()}, {"partitions", topic.partitions}});
  co_return ok();
}

}  // namespace farshore::linker
