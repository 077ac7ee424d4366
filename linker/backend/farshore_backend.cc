#include "linker/backend/farshore_backend.h"

#include "linker/target/mirror_target.h"

namespace farshore::linker {

FarshoreBackend::FarshoreBackend(Env& env, Connector& connector, ClusterAdmin& target)
    : env_(env), connector_(connector), store_(target.client()) {}

Result<std::unique_ptr<LinkTarget>> FarshoreBackend::make_target(const StoredLink& link) {
  if (link.spec.mode == LinkMode::kMirror) return std::make_unique<MirrorTarget>(env_, connector_, link);
  return Error(ErrorCode::kInvalidArgument,
               "the target is a Farshore cluster, which has no transactions yet, and a relay fences with them; use "
               "--mode mirror: it keeps the same offsets");
}

}  // namespace farshore::linker
