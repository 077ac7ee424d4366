#include "linker/target/cluster_identity.h"

#include "proto/kafka/messages/link_state.h"
#include "proto/kafka/messages/mirror_append.h"
#include "proto/link/client/mirror_client.h"

namespace farshore::linker {
namespace {

// 0: the cluster is not a Farshore cluster, and its producer ids have no salt.
Task<Result<int64_t>> producer_id_salt(ClusterAdmin& cluster, Deadline deadline) {
  auto client = co_await cluster.client().any(deadline);
  if (!client) co_return std::move(client).error().in(cluster.role());
  if (!(*client)->range_of(kafka::MirrorControlRequest::kApiKey)) co_return 0;
  MirrorClient mirrors(cluster.client());
  auto facts = co_await mirrors.cluster(deadline);
  if (!facts) co_return std::move(facts).error().in(cluster.role());
  co_return facts->producer_id_salt;
}

}  // namespace

Task<Result<ClusterIdentity>> identify(ClusterAdmin& cluster, Deadline deadline) {
  auto client = co_await cluster.client().any(deadline);
  if (!client) co_return std::move(client).error().in(cluster.role());
  ClusterIdentity identity;
  identity.farshore = (*client)->range_of(kafka::MirrorAppendRequest::kApiKey) != nullptr;
  auto view = co_await cluster.client().refresh({}, deadline);
  if (!view) co_return std::move(view).error().in(cluster.role());
  identity.cluster_id = ClusterId((*view)->cluster_id);
  if (identity.farshore) {
    // Checked first, so that the user reads which releases do not fit, and not the error of some later call.
    for (int16_t key : {kafka::MirrorAppendRequest::kApiKey, kafka::MirrorControlRequest::kApiKey,
                        kafka::LinkStateRequest::kApiKey}) {
      if (auto version = (*client)->version_for(key); !version) co_return std::move(version).error().in(cluster.role());
    }
    MirrorClient mirrors(cluster.client());
    auto facts = co_await mirrors.cluster(deadline);
    if (!facts) co_return std::move(facts).error().in(cluster.role());
    if (!facts->incarnation.is_zero()) identity.incarnation = facts->incarnation.to_string();
  }
  co_return identity;
}

Task<Status> refuse_equal_salts(ClusterAdmin& source, ClusterAdmin& target, Deadline deadline) {
  CO_TRY(int64_t theirs, co_await producer_id_salt(source, deadline));
  CO_TRY(int64_t ours, co_await producer_id_salt(target, deadline));
  if (theirs == 0 || theirs != ours) co_return ok();
  co_return Error(ErrorCode::kConflict,
                  "source and target give producer ids with the same salt (" + std::to_string(ours) +
                      "), so that mirrored producers could be mistaken for the target's own: restart one of the two "
                      "with --set producer.id.salt=N, where N is another number from 1 to 4194303");
}

}  // namespace farshore::linker
