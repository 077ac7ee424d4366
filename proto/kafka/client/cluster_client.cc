#include "proto/kafka/client/cluster_client.h"

#include <algorithm>

#include "proto/kafka/client/internal/connection_pool.h"
#include "proto/kafka/messages/find_coordinator.h"
#include "proto/kafka/messages/metadata.h"

namespace farshore::kafka {

ClusterClient::ClusterClient(Env& env, Connector& connector, ClusterOptions options)
    : env_(env),
      options_(std::move(options)),
      connections_(std::make_unique<ConnectionPool>(env, connector, options_)),
      missing_(env),
      cluster_id_(options_.cluster_id) {
  ensure(!options_.bootstrap.empty(), "a cluster has an address to begin with");
}

ClusterClient::~ClusterClient() = default;

void ClusterClient::close() { connections_->close(); }

void ClusterClient::set_bootstrap(std::vector<Endpoint> bootstrap) {
  ensure(!bootstrap.empty(), "a cluster has an address to begin with");
  options_.bootstrap = std::move(bootstrap);
  changing_view().brokers.clear();  // their addresses are those of before
  connections_->disconnect();
}

ClusterView& ClusterClient::changing_view() {
  if (view_.use_count() > 1) view_ = std::make_shared<ClusterView>(*view_);
  return *view_;
}

Deadline ClusterClient::attempt_deadline(Deadline deadline) {
  return std::min(deadline, env_.in(options_.request_timeout));
}

bool ClusterClient::coordinator_moved(int16_t error_code) {
  auto code = static_cast<ErrorCode>(error_code);
  return code == ErrorCode::kNotCoordinator || code == ErrorCode::kCoordinatorNotAvailable ||
         code == ErrorCode::kCoordinatorLoadInProgress;
}

Task<Status> ClusterClient::pause(int attempt, Deadline deadline) { return connections_->pause(attempt, deadline); }

Result<Endpoint> ClusterClient::endpoint_of(int32_t id) const {
  auto it = view_->brokers.find(id);
  if (it != view_->brokers.end()) return it->second.endpoint;
  return Error(farshore::ErrorCode::kNotFound,
               "the cluster's metadata does not list broker " + std::to_string(id) + ": is it down?");
}

Task<Result<std::shared_ptr<Client>>> ClusterClient::broker(int32_t id, Deadline deadline) {
  CO_TRY(Endpoint endpoint, endpoint_of(id));
  co_return co_await connections_->shared(id, std::move(endpoint), deadline);
}

Task<Result<std::unique_ptr<Client>>> ClusterClient::open(int32_t id, Deadline deadline) {
  if (connections_->closed()) co_return Error(farshore::ErrorCode::kClosed);
  CO_TRY(Endpoint endpoint, endpoint_of(id));
  co_return co_await connections_->open(std::move(endpoint), deadline);
}

Task<Result<std::shared_ptr<Client>>> ClusterClient::any(Deadline deadline) {
  return connections_->any(view_, deadline);
}

Task<Result<std::shared_ptr<const ClusterView>>> ClusterClient::refresh_all(Deadline deadline) {
  co_return co_await refresh_now(std::nullopt, deadline);
}

Task<Result<std::shared_ptr<const ClusterView>>> ClusterClient::refresh(std::vector<std::string> topics,
                                                                        Deadline deadline) {
  std::optional<std::vector<std::string>> wanted(std::move(topics));
  co_return co_await refresh_now(std::move(wanted), deadline);
}

Task<Result<std::shared_ptr<const ClusterView>>> ClusterClient::refresh_now(
    std::optional<std::vector<std::string>> topics, Deadline deadline) {
  MetadataRequest request;
  if (topics) {
    auto& wanted = request.topics.emplace();
    for (const auto& name : *topics) wanted.emplace_back().name = name;
  } else {
    request.topics.reset();
  }
  request.allow_auto_topic_creation = false;
  CO_TRY(MetadataResponse response, co_await call_any(std::move(request), Repeat::kYes, deadline));
  if (response.error_code != 0) co_return to_error(response.error_code, "Metadata");
  std::string cluster_id = response.cluster_id.value_or(std::string());
  if (!cluster_id_ && !cluster_id.empty()) cluster_id_ = cluster_id;
  if (cluster_id_ && *cluster_id_ != cluster_id) {
    connections_->disconnect();
    co_return Error(farshore::ErrorCode::kConflict, "cluster \"" + cluster_id +
                                                        "\" answers at these addresses, but cluster \"" + *cluster_id_ +
                                                        "\" is expected: correct the address (source of a link: "
                                                        "`farshore link update LINK --set source.bootstrap=...`)");
  }
  if (!topics) view_ = std::make_shared<ClusterView>();
  changing_view().apply(response);
  co_return std::shared_ptr<const ClusterView>(view_);
}

Task<Status> ClusterClient::refresh_missing(std::string topic, Deadline deadline) {
  missing_.wanted.insert(topic);
  CO_TRY(auto turn, co_await missing_.turn.lock(deadline));
  // A request that was made after this call has asked for it already.
  if (missing_.wanted.count(topic) == 0 && missing_.last) co_return ok();
  missing_.wanted.insert(std::move(topic));
  std::vector<std::string> topics(missing_.wanted.begin(), missing_.wanted.end());
  missing_.wanted.clear();
  auto refreshed = co_await refresh(std::move(topics), deadline);
  missing_.last = refreshed ? ok() : Status(refreshed.error());
  co_return missing_.last;
}

std::optional<Leader> ClusterClient::known_leader(const TopicPartition& partition) const {
  const ClusterView::Partition* found = view_->partition(partition.topic, partition.partition);
  if (!found || found->leader < 0 || view_->brokers.count(found->leader) == 0) return std::nullopt;
  return Leader{found->leader, found->leader_epoch, view_->topics.find(partition.topic)->second.id};
}

Status ClusterClient::check_exists(const TopicPartition& partition) const {
  const Error missing(farshore::ErrorCode::kNotFound,
                      "no partition " + partition.topic + "-" + std::to_string(partition.partition));
  auto topic = view_->topics.find(partition.topic);
  if (topic == view_->topics.end()) return ok();
  const auto code = static_cast<ErrorCode>(topic->second.error_code);
  if (code == ErrorCode::kUnknownTopicOrPartition) return missing;
  if (code != ErrorCode::kNone && !error_retriable(code)) return to_error(code, "topic " + partition.topic);
  if (code == ErrorCode::kNone && !view_->partition(partition.topic, partition.partition)) return missing;
  return ok();
}

Task<Result<Leader>> ClusterClient::leader(TopicPartition partition, Deadline deadline) {
  for (int attempt = 0;; ++attempt) {
    if (auto known = known_leader(partition)) co_return *known;
    if (attempt > 0) {
      CO_CHECK(check_exists(partition));
      CO_CHECK(co_await pause(attempt - 1, deadline));
    }
    CO_CHECK(co_await refresh_missing(partition.topic, deadline));
  }
}

void ClusterClient::forget_leader(const TopicPartition& partition) {
  if (!view_->partition(partition.topic, partition.partition)) return;
  changing_view().topics[partition.topic].partitions[partition.partition].leader = -1;
}

Task<Result<std::optional<int32_t>>> ClusterClient::ask_coordinator(CoordinatorKind kind, std::string key,
                                                                    Deadline deadline) {
  FindCoordinatorRequest request;
  request.key_type = static_cast<int8_t>(kind);
  CO_TRY(auto client, co_await any(deadline));
  CO_TRY(int16_t version, client->version_for(FindCoordinatorRequest::kApiKey));
  const bool many_keys = version >= 4;
  if (many_keys) {
    request.coordinator_keys.push_back(key);
  } else {
    request.key = key;
  }
  auto response = co_await client->call(std::move(request), attempt_deadline(deadline));
  if (!response) {
    if (connection_failed(response.error())) co_return std::optional<int32_t>();
    co_return std::move(response).error();
  }
  int16_t error = response->error_code;
  int32_t node = response->node_id;
  if (many_keys && !response->coordinators.empty()) {
    error = response->coordinators.front().error_code;
    node = response->coordinators.front().node_id;
  }
  if (error == 0) co_return std::optional<int32_t>(node);
  if (error_retriable(static_cast<ErrorCode>(error))) co_return std::optional<int32_t>();
  co_return to_error(error, "coordinator of " + key);
}

Task<Result<int32_t>> ClusterClient::coordinator(CoordinatorKind kind, std::string key, Deadline deadline) {
  for (int attempt = 0;; ++attempt) {
    auto known = coordinators_.find({kind, key});
    if (known != coordinators_.end() && view_->brokers.count(known->second)) co_return known->second;
    CO_TRY(auto node, co_await ask_coordinator(kind, key, deadline));
    if (node) {
      coordinators_[{kind, key}] = *node;
      if (!view_->brokers.count(*node)) {
        std::vector<std::string> none;
        CO_CHECK(co_await refresh(std::move(none), deadline));
      }
      if (view_->brokers.count(*node)) co_return *node;
    }
    CO_CHECK(co_await pause(attempt, deadline));
  }
}

}  // namespace farshore::kafka
