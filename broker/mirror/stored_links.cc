#include "broker/mirror/stored_links.h"

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
  std::string end(kLinkKeyPrefix);
  end.back() = static_cast<char>(end.back() + 1);
  std::string begin(kLinkKeyPrefix);
  CO_TRY(auto all, co_await metadata_.range(std::move(begin), std::move(end), deadline));
  std::optional<StoredLink> found;
  for (const auto& entry : all.entries) {
    if (parse_link_key(entry.key).kind != LinkKey::Kind::kLink) continue;
    auto decoded = decode_stored_link(entry.value);
    if (!decoded || decoded->id != link) continue;
    keys_[link] = entry.key;
    found = std::move(*decoded);
  }
  co_return found;
}

}  // namespace farshore::broker
