#include "linker/relay/garbage.h"

#include <map>

#include "proto/kafka/client/fence.h"
#include "proto/link/keys.h"
#include "proto/link/stored_link.h"
#include "replicator/relay/takeover.h"

namespace farshore::linker {

Task<Status> RelayGarbage::collect(std::string link, Deadline deadline) {
  auto guard = co_await turn_.lock();
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

Task<Status> RelayGarbage::forget_topic(RelayTopic topic, Deadline deadline) {
  if (topic.id.is_zero()) co_return ok();  // the topic was never made
  for (int32_t p = 0; p < topic.partitions; ++p) {
    const LinkPartition key{topic.link, topic.source_id, PartitionId(p)};
    CO_TRY(TopicPartition log, co_await journal_.log_of(key, deadline));
    // Fences the log only. The topic itself stays as it is, and may be gone.
    std::vector<TopicPartition> partitions{log};
    const MonoTime owned_until = env_.now() + replicator::RelaySinkOptions().ownership_max;
    CO_TRY(auto owner,
           co_await kafka::fence(cluster_, replicator::relay_transactional_id(key), std::move(partitions), deadline));
    CO_CHECK(co_await journal_.take_over(key, owner, owned_until, deadline));
    CO_CHECK(co_await journal_.forget(key, deadline));
  }
  env_.log().info("the translation of a deleted link's topic is forgotten",
                  {{"topic", topic.topic}, {"link_id", topic.link.to_string()}, {"partitions", topic.partitions}});
  co_return ok();
}

}  // namespace farshore::linker
