#include "linker/backend/farshore_backend.h"

#include "linker/target/mirror_target.h"
#include "proto/link/keys.h"

namespace farshore::linker {

FarshoreBackend::FarshoreBackend(Env& env, Connector& connector, ClusterAdmin& target)
    : env_(env), connector_(connector), store_(target.client()) {}

Task<Status> FarshoreBackend::collect_garbage(std::string link, Deadline deadline) {
  if (link.empty()) co_return ok();  // it is done when a link is deleted, and again before one of that name is made
  // Listed before the link is looked for: what a link that is made later writes is not among it.
  CO_TRY(auto left, co_await store_.list(link_children_prefix(link), deadline));
  CO_TRY(StoredEntry there, co_await store_.read(link_key(link), deadline));
  if (there.revision != 0) co_return ok();
  for (auto& entry : left) {
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
