#include "proto/kafka/client/id_owner.h"

#include <algorithm>
#include <charconv>

#include "base/gate.h"
#include "proto/kafka/messages/describe_configs.h"
#include "proto/kafka/messages/describe_transactions.h"

namespace farshore::kafka {

namespace {

constexpr char kLifetimeConfig[] = "transactional.id.expiration.ms";
constexpr int8_t kBrokerResource = 4;

// A coordinator that is not found by then is left out, so that it holds up no others.
constexpr Duration kFindLimit = seconds(2);

struct OwnersRound {
  ClusterClient& cluster;
  std::map<int32_t, std::vector<std::string>> by_broker;
  IdOwners owners;
  bool unsupported = false;
};

// Puts what one coordinator says into `owners`.
void add_owners(ClusterClient& cluster, const DescribeTransactionsResponse& response, IdOwners& owners) {
  for (const auto& each : response.transaction_states) {
    switch (static_cast<ErrorCode>(each.error_code)) {
      case ErrorCode::kNone:
        owners[each.transactional_id] = ProducerIdentity{each.producer_id, each.producer_epoch};
        break;
      case ErrorCode::kTransactionalIdNotFound:
        owners[each.transactional_id] = std::nullopt;
        break;
      default:
        cluster.forget_coordinator(CoordinatorKind::kTransaction, each.transactional_id);
    }
  }
}

Task<void> find_owner_broker(OwnersRound& round, std::string id, Deadline deadline) {
  std::string key = id;
  auto broker = co_await round.cluster.coordinator(CoordinatorKind::kTransaction, std::move(key), deadline);
  if (broker) round.by_broker[*broker].push_back(std::move(id));
}

Task<void> ask_owner_broker(OwnersRound& round, int32_t broker, std::vector<std::string> ids, Deadline deadline) {
  Result<DescribeTransactionsResponse> response = Error(farshore::ErrorCode::kInternal);
  auto client = co_await round.cluster.broker(broker, deadline);
  if (client) {
    DescribeTransactionsRequest request;
    request.transactional_ids = ids;
    response = co_await (*client)->call(std::move(request), deadline);
    if (response) co_return add_owners(round.cluster, *response, round.owners);
    round.unsupported = round.unsupported || response.error() == farshore::ErrorCode::kUnsupported;
  }
  for (const std::string& id : ids) round.cluster.forget_coordinator(CoordinatorKind::kTransaction, id);
}

}  // namespace

Task<Result<IdOwners>> id_owners(ClusterClient& cluster, std::vector<std::string> ids, Deadline deadline) {
  OwnersRound round{cluster, {}, {}, false};
  Gate finding(cluster.env());
  const Deadline found_by = std::min(deadline, cluster.env().in(kFindLimit));
  for (std::string& id : ids) spawn(finding, "find coordinator", find_owner_broker(round, std::move(id), found_by));
  co_await finding.close();
  Gate asking(cluster.env());
  for (auto& [broker, its_ids] : round.by_broker)
    spawn(asking, "ask coordinator", ask_owner_broker(round, broker, std::move(its_ids), deadline));
  co_await asking.close();
  if (round.unsupported && round.owners.empty())
    co_return Error(farshore::ErrorCode::kUnsupported, "the cluster does not know DescribeTransactions (KIP-664)");
  co_return std::move(round.owners);
}

Task<Result<Duration>> id_lifetime(ClusterClient& cluster, Deadline deadline) {
  std::shared_ptr<const ClusterView> view = cluster.view();
  if (view->brokers.empty()) {
    std::vector<std::string> no_topics;
    CO_TRY(view, co_await cluster.refresh(std::move(no_topics), deadline));
  }
  if (view->brokers.empty()) co_return Error(farshore::ErrorCode::kNotFound, "the cluster lists no broker");
  const int32_t broker = view->brokers.begin()->first;
  DescribeConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = kBrokerResource;
  resource.resource_name = std::to_string(broker);
  resource.configuration_keys.emplace().push_back(kLifetimeConfig);
  CO_TRY(auto client, co_await cluster.broker(broker, deadline));
  CO_TRY(auto response, co_await client->call(std::move(request), deadline));
  for (const auto& result : response.results) {
    if (result.error_code != 0) co_return to_error(result.error_code, kLifetimeConfig);
    for (const auto& config : result.configs) {
      const std::string text = config.value.value_or("");
      int64_t value_ms = 0;
      const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value_ms);
      if (config.name == kLifetimeConfig && parsed.ec == std::errc() && value_ms > 0) co_return milliseconds(value_ms);
    }
  }
  co_return Error(farshore::ErrorCode::kNotFound, "the broker does not name its " + std::string(kLifetimeConfig));
}

}  // namespace farshore::kafka
