// Who owns a transactional id now, and for how long the cluster remembers an idle one.
//
// A cluster forgets a transactional id that was not used for transactional.id.expiration.ms (7 days). The next fence()
// of that id gets another producer id, so it fences nobody: the former owner could write on. And a partition forgets an
// idle producer, with the epoch that fenced its former owner, after producer.id.expiration.ms (1 day). So an owner that
// writes without transactions must do two things: ask id_owners() shortly before it writes, and call send_markers()
// (fence.h) more often than every id_lifetime(), which counts as a use of the id.
// Executor: the Env's. Source: KIP-664; Apache Kafka 4.1 (TransactionStateManager, ProducerStateManager).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "proto/kafka/client/cluster_client.h"
#include "proto/kafka/producer_identity.h"

namespace farshore::kafka {

// By transactional id. No value: the cluster has forgotten the id. An id that is left out: its coordinator did not
// answer, moved, or is loading; ask again.
using IdOwners = std::map<std::string, std::optional<ProducerIdentity>>;

// One request for each broker that is a coordinator, side by side: one that is away leaves out its own ids only.
// kUnsupported: the cluster is older than Apache Kafka 3.0.
Task<Result<IdOwners>> id_owners(ClusterClient& cluster, std::vector<std::string> ids, Deadline deadline);

// transactional.id.expiration.ms of a broker. Errors: kPermissionDenied (it takes DESCRIBE_CONFIGS on the cluster),
// kNotFound: the broker does not name it.
Task<Result<Duration>> id_lifetime(ClusterClient& cluster, Deadline deadline);

}  // namespace farshore::kafka
