#include "linker/backend/farshore_backend.h"

#include "linker/target/mirror_target.h"
#include "proto/link/keys.h"

namespace farshore::linker {

FarshoreBackend::FarshoreBackend(Env& env, Connector& connector, ClusterAdmin& target)
    : env_(env), connector_(connector), store_(target.client()) {}

// A gateway may have died, or lost the target, after it had deleted a link's own entry.
Task<Status> FarshoreBackend::collect_garbage(std::string link, Deadline deadline) {
  if (!link.empty()) {
    auto collected = co_await collect_of(std::move(link), deadline);
    if (!collected) clean_ = false;
    co_return collected;
  }
  if (clean_) co_return ok();
  clean_ = true;
  auto deleted = co_await store_.deleted_links(deadline);
  if (!deleted) clean_ = false;
  if (!deleted) co_return std::move(deleted).error();
  for (auto& name : *deleted) CO_CHECK(co_await collect_garbage(std::move(name), deadline));
  co_return ok();
}

Task<Status> FarshoreBackend::collect_of(std::string link, Deadline deadline) {
  // Listed before the link is looked for: what a link that is made later writes is not among it.
  CO_TRY(auto left, co_await store_.list(link_children_prefix(link), deadline));
  CO_TRY(StoredEntry there, co_await store_.read(link_key(link), deadline));
  if (there.revision != 0) co_return ok();
  for (auto& entry : left) {
    if (parse_link_key(entry.key).kind == LinkKey::Kind::kEndReport) continue;
    entry.value.clear();
    auto deleted = co_await store_.replace(std::move(entry), deadline);
    if (!deleted && deleted.error() != ErrorCode::kConflict) co_return std::move(deleted).error();
  }
  co_return ok();
}

Result<std::unique_ptr<LinkTarget>> FarshoreBackend::make_target(const StoredLink& link) {
  if (link.spec.mode == LinkMode::kMirror) return std::make_unique<MirrorTarget>(env_, connector_, link);
  return Error(ErrorCode::kInvalidArgument,
               "the target is a Farshore cluster, which has no transactions yet, and a relay fences with them; use "
               "--mode mirror: it keeps the same offsets");
}

}  // namespace farshore::linker
