#include "linker/store/link_store.h"

#include <algorithm>

#include "proto/link/keys.h"

namespace farshore::linker {

std::string end_of_prefix(std::string prefix) {
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

Task<Result<LinkStore::Walk>> LinkStore::walk(Deadline deadline) {
  Walk out;
  const std::string end = end_of_prefix(std::string(kLinkKeyPrefix));
  std::string begin(kLinkKeyPrefix);
  for (bool more = true; more;) {
    CO_TRY(StoredPage page, co_await this->page(begin, end, deadline));
    more = page.more && !page.entries.empty();
    for (StoredEntry& entry : page.entries) {
      if (entry.key < begin) continue;
      const LinkKey key = parse_link_key(entry.key);
      begin = entry.key + '\0';
      if (key.kind == LinkKey::Kind::kLink) {
        out.links.push_back(std::move(entry));
      } else {
        begin = std::max(begin, end_of_prefix(link_children_prefix(key.link)));
        if (!key.link.empty()) out.with_children.insert(key.link);
      }
    }
  }
  co_return out;
}

Task<Result<std::vector<StoredEntry>>> LinkStore::links(Deadline deadline) {
  CO_TRY(Walk all, co_await walk(deadline));
  co_return std::move(all.links);
}

Task<Result<std::vector<std::string>>> LinkStore::names(Deadline deadline) {
  CO_TRY(Walk all, co_await walk(deadline));
  for (const StoredEntry& link : all.links) all.with_children.insert(parse_link_key(link.key).link);
  std::vector<std::string> names(all.with_children.begin(), all.with_children.end());
  co_return names;
}

Task<Result<std::vector<std::string>>> LinkStore::deleted_links(Deadline deadline) {
  CO_TRY(Walk all, co_await walk(deadline));
  for (const StoredEntry& link : all.links) all.with_children.erase(parse_link_key(link.key).link);
  std::vector<std::string> names(all.with_children.begin(), all.with_children.end());
  co_return names;
}

Task<Result<std::vector<StoredEntry>>> LinkStore::list(std::string prefix, Deadline deadline) {
  std::vector<StoredEntry> out;
  const std::string end = end_of_prefix(prefix);
  std::string begin = std::move(prefix);
  for (bool more = true; more;) {
    CO_TRY(StoredPage page, co_await this->page(begin, end, deadline));
    more = page.more && !page.entries.empty();
    if (out.size() + page.entries.size() > kListedEntriesMax)
      co_return Error(ErrorCode::kResourceExhausted,
                      "target: more than " + std::to_string(kListedEntriesMax) + " stored entries are listed at once");
    if (more) begin = page.entries.back().key + '\0';
    std::move(page.entries.begin(), page.entries.end(), std::back_inserter(out));
  }
  co_return out;
}

}  // namespace farshore::linker
