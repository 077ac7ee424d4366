#include "proto/kafka/client/cluster_client.h"

#include <algorithm>

#include "proto/kafka/messages/find_coordinator.h"
#include "proto/kafka/messages/metadata.h"

namespace farshore::kafka {

namespace {

ClusterView::Topic topic_of(const MetadataResponse::MetadataResponseTopic& from) {
  ClusterView::Topic topic;
  topic.name = from.name.value_or(std::string());
  topic.id = from.topic_id;
  topic.internal = from.is_internal;
  topic.error_code = from.error_code;
  for (const auto& each : from.partitions) {
    auto& partition = topic.partitions[each.partition_index];
    partition.error_code = each.error_code;
    partition.leader = each.leader_id;
    partition.leader_epoch = each.leader_epoch;
    partition.replicas = each.replica_nodes;
    partition.isr = each.isr_nodes;
  }
  return topic;
}

}  // namespace

const ClusterView::Partition* ClusterView::partition(std::string_view topic, int32_t index) const {
  auto it = topics.find(std::string(topic));
  if (it == topics.end()) return nullptr;
  auto found = it->second.partitions.find(index);
  return found == it->second.partitions.end() ? nullptr : &found->second;
}

ClusterClient::ClusterClient(Env& env, Connector& connector, ClusterOptions options)
    : env_(env), connector_(connector), options_(std::move(options)), changed_(env), cluster_id_(options_.cluster_id) {
  ensure(!options_.bootstrap.empty(), "a cluster has an address to begin with");
}

ClusterClient::~ClusterClient() = default;

void ClusterClient::close() {
  if (closed_) return;
  closed_ = true;
  for (auto& [id, connection] : connections_) {
    if (connection.client) connection.client->close();
  }
  changed_.close();
}

Deadline ClusterClient::attempt_deadline(Deadline deadline) {
  return std::min(deadline, env_.in(options_.request_timeout));
}

Deadline ClusterClient::connect_deadline(Deadline deadline) {
  return std::min(deadline, env_.in(options_.connect_timeout));
}

bool ClusterClient::retriable(const Error& error) {
  switch (error.code) {
    case farshore::ErrorCode::kUnavailable:
    case farshore::ErrorCode::kConnectionReset:
    case farshore::ErrorCode::kTimedOut:
    case farshore::ErrorCode::kIo:
      return true;
    default:
      return false;
  }
}

bool ClusterClient::coordinator_moved(int16_t error_code) {
  auto code = static_cast<ErrorCode>(error_code);
  return code == ErrorCode::kNotCoordinator || code == ErrorCode::kCoordinatorNotAvailable ||
         code == ErrorCode::kCoordinatorLoadInProgress;
}

Duration ClusterClient::backoff(int failures) {
  Duration delay = options_.backoff_min;
  for (int i = 0; i < failures && delay < options_.backoff_max; ++i) delay *= 2;
  delay = std::min(delay, options_.backoff_max);
  return Duration(env_.random().between(delay.count() / 2, delay.count()));  // so that many do not come at once
}

Task<Status> ClusterClient::pause(int attempt, Deadline deadline) {
  Deadline until = env_.in(backoff(attempt));
  if (deadline <= until) {
    co_return Error(farshore::ErrorCode::kTimedOut, "gave up after " + std::to_string(attempt + 1) + " attempts");
  }
  // Woken by every connection that comes up; that is early, and harmless.
  if (auto waited = co_await changed_.wait(until); !waited && waited.error() == farshore::ErrorCode::kClosed) {
    co_return Error(farshore::ErrorCode::kClosed);
  }
  co_return ok();
}

Task<Result<std::shared_ptr<Client>>> ClusterClient::connected(int32_t id, Endpoint endpoint, Deadline deadline) {
  Connection& connection = connections_[id];  // never erased
  for (;;) {
    if (closed_) co_return Error(farshore::ErrorCode::kClosed);
    if (connection.client && connection.client->usable() && connection.client->endpoint() == endpoint) {
      co_return connection.client;
    }
    if (connection.connecting) {
      CO_CHECK(co_await changed_.wait(deadline));
      continue;
    }
    if (env_.now() >= connection.retry_at) break;
    if (deadline <= Deadline(connection.retry_at)) co_return connection.last_error;
    auto waited = co_await changed_.wait(Deadline(connection.retry_at));
    if (!waited && waited.error() == farshore::ErrorCode::kClosed) co_return std::move(waited).error();
  }
  connection.connecting = true;
  auto made = co_await Client::connect(env_, connector_, endpoint, options_.client, connect_deadline(deadline));
  connection.connecting = false;
  if (made) {
    connection.failures = 0;
    connection.client = std::move(*made);
    if (closed_) connection.client->close();
  } else {
    connection.last_error = made.error();
    connection.retry_at = env_.now() + backoff(connection.failures++);
  }
  if (!closed_) changed_.notify();
  if (!made) co_return std::move(made).error();
  co_return connection.client;
}

Task<Result<std::shared_ptr<Client>>> ClusterClient::broker(int32_t id, Deadline deadline) {
  auto it = view_->brokers.find(id);
  if (it == view_->brokers.end()) {
    co_return Error(farshore::ErrorCode::kNotFound, "no broker " + std::to_string(id) + " in the cluster's metadata");
  }
  Endpoint endpoint = it->second.endpoint;
  co_return co_await connected(id, std::move(endpoint), deadline);
}

Task<Result<std::unique_ptr<Client>>> ClusterClient::open(int32_t id, Deadline deadline) {
  if (closed_) co_return Error(farshore::ErrorCode::kClosed);
  auto it = view_->brokers.find(id);
  if (it == view_->brokers.end()) {
    co_return Error(farshore::ErrorCode::kNotFound, "no broker " + std::to_string(id) + " in the cluster's metadata");
  }
  Endpoint endpoint = it->second.endpoint;
  co_return co_await Client::connect(env_, connector_, std::move(endpoint), options_.client,
                                     connect_deadline(deadline));
}

Task<Result<std::shared_ptr<Client>>> ClusterClient::any(Deadline deadline) {
  if (closed_) co_return Error(farshore::ErrorCode::kClosed);
  auto view = view_;
  for (const auto& [id, broker] : view->brokers) {
    auto it = connections_.find(id);
    if (it != connections_.end() && it->second.client && it->second.client->usable()) co_return it->second.client;
  }
  for (size_t i = 0; i < options_.bootstrap.size(); ++i) {
    auto it = connections_.find(-1 - static_cast<int32_t>(i));
    if (it != connections_.end() && it->second.client && it->second.client->usable()) co_return it->second.client;
  }
  // None is up: try those that are not waiting for their backoff, known brokers first.
  struct Candidate {
    int32_t id;
    Endpoint endpoint;
  };
  std::vector<Candidate> candidates;
  for (const auto& [id, broker] : view->brokers) candidates.push_back({id, broker.endpoint});
  for (size_t i = 0; i < options_.bootstrap.size(); ++i) {
    size_t at = (next_bootstrap_ + i) % options_.bootstrap.size();
    candidates.push_back({-1 - static_cast<int32_t>(at), options_.bootstrap[at]});
  }
  ++next_bootstrap_;
  Error last(farshore::ErrorCode::kUnavailable);
  MonoTime soonest = MonoTime::max();
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Connection& connection = connections_[candidates[i].id];
    if (env_.now() < connection.retry_at) {
      soonest = std::min(soonest, connection.retry_at);
      last = connection.last_error;
      continue;
    }
    auto client = co_await connected(candidates[i].id, candidates[i].endpoint, deadline);
    if (client || client.error() == farshore::ErrorCode::kClosed) co_return client;
    last = std::move(client).error();
    if (deadline.passed(env_.now())) break;
  }
  if (!retriable(last)) co_return last;
  co_return Error(farshore::ErrorCode::kUnavailable, "no broker can be reached (" + std::to_string(candidates.size()) +
                                                         " addresses); last: " + last.to_string());
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
    for (auto& [id, connection] : connections_) {
      if (connection.client) connection.client->close();
    }
    co_return Error(farshore::ErrorCode::kConflict, "the addresses lead to cluster \"" + cluster_id +
                                                        "\" now; this is about cluster \"" + *cluster_id_ + "\"");
  }
  auto next = std::make_shared<ClusterView>();
  if (topics) next->topics = view_->topics;
  next->cluster_id = std::move(cluster_id);
  next->controller = response.controller_id;
  for (const auto& each : response.brokers) {
    auto& broker = next->brokers[each.node_id];
    broker.endpoint = Endpoint{each.host, static_cast<uint16_t>(each.port)};
    broker.rack = each.rack.value_or(std::string());
  }
  for (const auto& each : response.topics) {
    if (each.name) next->topics[*each.name] = topic_of(each);
  }
  view_ = std::move(next);
  co_return view_;
}

Task<Result<Leader>> ClusterClient::leader(TopicPartition partition, Deadline deadline) {
  for (int attempt = 0;; ++attempt) {
    auto view = view_;
    auto it = view->topics.find(partition.topic);
    const ClusterView::Partition* found = view->partition(partition.topic, partition.partition);
    if (found && found->leader >= 0 && view->brokers.count(found->leader)) {
      co_return Leader{found->leader, found->leader_epoch, it->second.id};
    }
    if (attempt > 0) {
      bool missing = it != view->topics.end() && it->second.error_code == 0
                         ? !found
                         : it != view->topics.end() &&
                               static_cast<ErrorCode>(it->second.error_code) == ErrorCode::kUnknownTopicOrPartition;
      if (missing) {
        co_return Error(farshore::ErrorCode::kNotFound,
                        "no partition " + partition.topic + "-" + std::to_string(partition.partition));
      }
      if (it != view->topics.end() && it->second.error_code != 0) {
        auto code = static_cast<ErrorCode>(it->second.error_code);
        if (!error_retriable(code)) co_return to_error(code, "topic " + partition.topic);
      }
      CO_CHECK(co_await pause(attempt - 1, deadline));
    }
    std::vector<std::string> topics{partition.topic};
    CO_CHECK(co_await refresh(std::move(topics), deadline));
  }
}

void ClusterClient::forget_leader(const TopicPartition& partition) {
  if (!view_->partition(partition.topic, partition.partition)) return;
  auto next = std::make_shared<ClusterView>(*view_);
  next->topics[partition.topic].partitions[partition.partition].leader = -1;
  view_ = std::move(next);
}

Task<Result<int32_t>> ClusterClient::coordinator(CoordinatorKind kind, std::string key, Deadline deadline) {
  for (int attempt = 0;; ++attempt) {
    auto known = coordinators_.find({kind, key});
    if (known != coordinators_.end() && view_->brokers.count(known->second)) co_return known->second;
    FindCoordinatorRequest request;
    request.key_type = static_cast<int8_t>(kind);
    CO_TRY(auto client, co_await any(deadline));
    CO_TRY(int16_t version, client->version_for(FindCoordinatorRequest::kApiKey));
    if (version >= 4) {
      request.coordinator_keys.push_back(key);
    } else {
      request.key = key;
    }
    auto response = co_await client->call(std::move(request), attempt_deadline(deadline));
    if (!response) {
      if (!retriable(response.error())) co_return std::move(response).error();
    } else {
      int16_t error = response->error_code;
      int32_t node = response->node_id;
      if (version >= 4 && !response->coordinators.empty()) {
        error = response->coordinators.front().error_code;
        node = response->coordinators.front().node_id;
      }
      if (error == 0) {
        coordinators_[{kind, key}] = node;
        if (!view_->brokers.count(node)) {
          std::vector<std::string> none;
          CO_CHECK(co_await refresh(std::move(none), deadline));
        }
        if (view_->brokers.count(node)) co_return node;
      } else if (!error_retriable(static_cast<ErrorCode>(error))) {
        co_return to_error(error, "coordinator of " + key);
      }
    }
    CO_CHECK(co_await pause(attempt, deadline));
  }
}

}  // namespace farshore::kafka
