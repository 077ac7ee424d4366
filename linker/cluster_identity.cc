#include "linker/cluster_identity.h"

#include <algorithm>

#include "proto/kafka/messages/link_state.h"
#include "proto/kafka/messages/mirror_append.h"
#include "proto/kafka/messages/mirror_control.h"
#include "replicator/mirror_sink.h"

namespace farshore::linker {
namespace {

using kafka::Repeat;

// 0: the cluster is not a Farshore cluster, and its producer ids have no salt.
Task<Result<int64_t>> producer_id_salt(ClusterAdmin& cluster, Deadline deadline) {
  auto client = co_await cluster.client().any(deadline);
  if (!client) co_return std::move(client).error().in(cluster.role());
  if (!(*client)->range_of(kafka::MirrorControlRequest::kApiKey)) co_return 0;
  kafka::MirrorControlRequest request;  // about no topic: the answer is about the cluster
  request.op = replicator::kMirrorDescribe;
  request.timeout_ms = 1000;
  auto response = co_await cluster.client().call_any(std::move(request), Repeat::kYes, deadline);
  if (!response) co_return std::move(response).error().in(cluster.role());
  co_return std::max<int64_t>(0, response->producer_id_salt);
}

}  // namespace

Task<Result<ClusterIdentity>> identify(ClusterAdmin& cluster, Deadline deadline) {
  auto client = co_await cluster.client().any(deadline);
  if (!client) co_return std::move(client).error().in(cluster.role());
  ClusterIdentity identity;
  identity.farshore = (*client)->range_of(kafka::MirrorAppendRequest::kApiKey) != nullptr;
  auto view = co_await cluster.client().refresh({}, deadline);
  if (!view) co_return std::move(view).error().in(cluster.role());
  identity.cluster_id = (*view)->cluster_id;
  if (identity.farshore) {
    // Checked first, so that the user reads which releases do not fit, and not the error of some later call.
    for (int16_t key : {kafka::MirrorAppendRequest::kApiKey, kafka::MirrorControlRequest::kApiKey,
                        kafka::LinkStateRequest::kApiKey}) {
      if (auto version = (*client)->version_for(key); !version) co_return std::move(version).error().in(cluster.role());
    }
    kafka::MirrorControlRequest request;
    request.op = replicator::kMirrorDescribe;  // of no topic: the answer is about the cluster
    auto response = co_await cluster.client().call_any(std::move(request), Repeat::kYes, deadline);
    if (!response) co_return std::move(response).error().in(cluster.role());
    if (!response->incarnation.is_zero()) identity.incarnation = response->incarnation.to_string();
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
