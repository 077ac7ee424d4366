#include "broker/mirror/stored_links.h"

#include <algorithm>

#include "base/meta_store.h"
#include "proto/link/keys.h"

namespace farshore::broker {

Task<Result<std::optional<StoredLink>>> StoredLinks::read(std::string key, LinkId link, Deadline deadline) {
  CO_TRY(auto found, co_await metadata_.range(std::move(key), std::string(), deadline));
  std::optional<StoredLink> stored;
  if (found.entries.empty()) co_return stored;
  auto decoded = decode_stored_link(found.entries.front().value);
  if (decoded && decoded->id == link) stored = std::move(*decoded);
  co_return stored;
}

Task<Result<std::optional<StoredLink>>> StoredLinks::find(LinkId link, Deadline deadline) {
  if (auto known = keys_.find(link); known != keys_.end()) {
    CO_TRY(auto stored, co_await read(known->second, link, deadline));
    if (stored) co_return stored;
    keys_.erase(link);
  }
  const std::string end = prefix_end(std::string(kLinkKeyPrefix));
  std::string begin(kLinkKeyPrefix);
  std::optional<StoredLink> found;
  for (bool more = true; more && !found;) {
    CO_TRY(auto page, co_await metadata_.range(begin, end, deadline, kPageEntries));
    more = page.entries.size() == kPageEntries;
    for (const auto& entry : page.entries) {
      if (entry.key < begin) continue;
      const LinkKey key = parse_link_key(entry.key);
      begin = entry.key + '\0';
      if (key.kind != LinkKey::Kind::kLink) {  // the rest of what belongs to this link is passed over
        begin = std::max(begin, prefix_end(link_children_prefix(key.link)));
        continue;
      }
      auto decoded = decode_stored_link(entry.value);
      if (!decoded || decoded->id != link) continue;
      keys_[link] = entry.key;
      found = std::move(*decoded);
    }
  }
  co_return found;
}

}  // namespace farshore::broker
