#include "linker/unconfirmed_links.h"

namespace farshore::linker {
namespace {

constexpr Duration kLookedForDuring = minutes(5);

}  // namespace

void UnconfirmedLinks::add(const LinkId& link) { ids_[link] = env_.now() + kLookedForDuring; }

Task<Status> UnconfirmedLinks::adopt(Deadline deadline) {
  std::erase_if(ids_, [now = env_.now()](const auto& each) { return each.second < now; });
  if (ids_.empty()) co_return ok();
  CO_TRY(auto stored, co_await links_.backend()->store().links(deadline));
  for (const StoredEntry& entry : stored) {
    auto link = decode_stored_link(entry.value);
    if (!link || ids_.count(link->id) == 0 || links_.has(link->spec.name)) continue;
    if (link->epoch != kFirstLinkEpoch) continue;
    CO_CHECK(links_.add(*link, entry.revision));
    ids_.erase(link->id);
    env_.log().info("a link is stored whose creation was not confirmed", {{"link", link->spec.name}});
  }
  co_return ok();
}

}  // namespace farshore::linker
