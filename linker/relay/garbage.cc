#include "linker/relay/garbage.h"

#include <utility>

#include "proto/kafka/client/fence.h"
#include "proto/link/keys.h"
#include "proto/link/stored_link.h"
#include "replicator/relay/shards.h"

namespace farshore::linker {
namespace {

constexpr size_t kSaidMax = 1000;
constexpr Duration kSweepEvery = minutes(1);  // of all stored entries, when the last sweep has left nothing undone

}  // namespace

Task<Status> RelayGarbage::collect(std::string link, Deadline deadline) {
  auto guard = co_await turn_.lock();
  if (!link.empty()) swept_.reset();  // what fails now is tried again by the next sweep
  if (link.empty() && swept_ && env_.now() - *swept_ < kSweepEvery) co_return ok();
  owned_.clear();
  CO_TRY(auto stored, co_await store_.links(deadline));
  Links links;
  for (const auto& entry : stored) {
    auto known = decode_stored_link(entry.value);
    links[parse_link_key(entry.key).link] = known ? std::optional(known->id) : std::nullopt;
  }
  const std::string prefix = link.empty() ? std::string(kLinkKeyPrefix) : link_children_prefix(link);
  const std::string end = end_of_prefix(prefix);
  std::string begin = prefix;
  for (bool more = true; more;) {
    CO_TRY(StoredPage page, co_await store_.page(begin, end, deadline));
    more = page.more && !page.entries.empty();
    for (StoredEntry& entry : page.entries) {
      begin = entry.key + '\0';
      CO_CHECK(co_await collect_entry(links, std::move(entry), deadline));
    }
  }
  if (link.empty()) swept_ = env_.now();
  co_return ok();
}

Task<Status> RelayGarbage::collect_entry(const Links& links, StoredEntry entry, Deadline deadline) {
  const LinkKey key = parse_link_key(entry.key);
  if (key.kind == LinkKey::Kind::kLink) co_return ok();
  const auto owner = links.find(key.link);
  if (owner != links.end() && !owner->second) co_return ok();  // the link cannot be read: it may own everything
  const LinkId listed = owner == links.end() ? LinkId() : *owner->second;
  if (key.kind == LinkKey::Kind::kRelayTopic) {
    auto topic = decode_relay_topic(entry.value);
    if (!topic) {
      note_unreadable(entry, topic.error());
      // Damaged, and its link is gone: nobody can read it any more. A newer release may, and collects it.
      if (owner != links.end() || topic.error() != ErrorCode::kCorrupt) co_return ok();
    } else {
      if (owner != links.end() && *owner->second == topic->link) co_return ok();
      CO_TRY(const bool newer, co_await made_since(listed, key.link, deadline));
      if (newer) co_return ok();
      CO_CHECK(co_await forget_topic(std::move(*topic), deadline));
    }
  } else if (owner != links.end()) {
    co_return ok();
  }
  CO_TRY(const bool newer, co_await made_since(listed, key.link, deadline));
  if (newer) co_return ok();
  entry.value.clear();
  auto deleted = co_await store_.replace(std::move(entry), deadline);
  // kConflict: another gateway has deleted the entry, or a new link of the same name has replaced it.
  if (!deleted && deleted.error() != ErrorCode::kConflict) co_return std::move(deleted).error();
  co_return ok();
}

// The links were listed a moment ago. A link that was made since under this name owns what is found now.
Task<Result<bool>> RelayGarbage::made_since(LinkId listed, std::string link, Deadline deadline) {
  CO_TRY(StoredEntry now, co_await store_.read(link_key(link), deadline));
  if (now.revision == 0) co_return false;
  auto stored = decode_stored_link(now.value);
  co_return !stored || stored->id != listed;
}

void RelayGarbage::note_unreadable(const StoredEntry& entry, const Error& why) {
  if (said_.size() >= kSaidMax) said_.clear();
  const bool said = std::exchange(said_[entry.key], entry.revision) == entry.revision;
  if (!said) env_.log().error("a stored entry cannot be read", {{"key", entry.key}, {"error", why}});
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
  std::optional<FormerRelay> relayed = topic.forgets;
  if (!topic.id.is_zero()) relayed = FormerRelay{topic.source_id, topic.partitions};
  if (!relayed) co_return ok();  // the topic was never made
  for (int32_t p = 0; p < relayed->partitions; ++p) {
    const LinkPartition key{topic.link, relayed->source_id, PartitionId(p)};
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
