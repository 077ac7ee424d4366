#include "proto/kafka/client/internal/connection_pool.h"

#include <algorithm>

namespace farshore::kafka {

namespace {

int32_t bootstrap_id(size_t index) { return -1 - static_cast<int32_t>(index); }

}  // namespace

ConnectionPool::ConnectionPool(Env& env, Connector& connector, const ClusterOptions& options)
    : env_(env), connector_(connector), options_(options), changed_(env) {}

void ConnectionPool::close() {
  if (closed_) return;
  closed_ = true;
  disconnect();
  changed_.close();
}

void ConnectionPool::disconnect() {
  for (auto& [id, connection] : connections_) {
    if (connection.client) connection.client->close();
  }
}

Deadline ConnectionPool::connect_deadline(Deadline deadline) {
  return std::min(deadline, env_.in(options_.connect_timeout));
}

Duration ConnectionPool::backoff(int failures) {
  Duration delay = options_.backoff_min;
  for (int i = 0; i < failures && delay < options_.backoff_max; ++i) delay *= 2;
  delay = std::min(delay, options_.backoff_max);
  return Duration(env_.random().between(delay.count() / 2, delay.count()));  // so that clients do not retry in step
}

Task<Status> ConnectionPool::pause(int attempt, Deadline deadline) {
  Deadline until = env_.in(backoff(attempt));
  if (deadline <= until) {
    co_return Error(farshore::ErrorCode::kTimedOut,
                    "gave up after " + std::to_string(attempt + 1) + " attempts" + why_all_are_down());
  }
  if (auto waited = co_await changed_.wait(until); !waited && waited.error() == farshore::ErrorCode::kClosed) {
    co_return Error(farshore::ErrorCode::kClosed);
  }
  co_return ok();
}

std::string ConnectionPool::why_all_are_down() const {
  const Connection* latest = nullptr;
  for (const auto& [id, connection] : connections_) {
    if (connection.client && connection.client->usable()) return std::string();
    if (connection.failures > 0 && (!latest || connection.retry_at > latest->retry_at)) latest = &connection;
  }
  return latest ? "; last: " + latest->last_error.to_string() : std::string();
}

Task<Result<std::shared_ptr<Client>>> ConnectionPool::shared(int32_t id, Endpoint endpoint, Deadline deadline) {
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

Task<Result<std::unique_ptr<Client>>> ConnectionPool::open(Endpoint endpoint, Deadline deadline) {
  if (closed_) co_return Error(farshore::ErrorCode::kClosed);
  co_return co_await Client::connect(env_, connector_, std::move(endpoint), options_.client,
                                     connect_deadline(deadline));
}

std::shared_ptr<Client> ConnectionPool::usable(int32_t id) const {
  auto it = connections_.find(id);
  return it != connections_.end() && it->second.client && it->second.client->usable() ? it->second.client : nullptr;
}

std::vector<ConnectionPool::Candidate> ConnectionPool::candidates(const ClusterView& view) {
  std::vector<Candidate> found;
  for (const auto& [id, broker] : view.brokers) found.push_back({id, broker.endpoint});
  for (size_t i = 0; i < options_.bootstrap.size(); ++i) {
    size_t at = (next_bootstrap_ + i) % options_.bootstrap.size();
    found.push_back({bootstrap_id(at), options_.bootstrap[at]});
  }
  ++next_bootstrap_;
  return found;
}

Task<Result<std::shared_ptr<Client>>> ConnectionPool::any(std::shared_ptr<const ClusterView> view, Deadline deadline) {
  if (closed_) co_return Error(farshore::ErrorCode::kClosed);
  for (const auto& [id, broker] : view->brokers) {
    if (auto client = usable(id)) co_return client;
  }
  for (size_t i = 0; i < options_.bootstrap.size(); ++i) {
    if (auto client = usable(bootstrap_id(i))) co_return client;
  }
  // No connection is up. Try every address whose backoff has passed.
  const std::vector<Candidate> tried = candidates(*view);
  Error last(farshore::ErrorCode::kUnavailable);
  for (const Candidate& candidate : tried) {
    const Connection& connection = connections_[candidate.id];
    if (env_.now() < connection.retry_at) {
      last = connection.last_error;
      continue;
    }
    auto client = co_await shared(candidate.id, candidate.endpoint, deadline);
    if (client || client.error() == farshore::ErrorCode::kClosed) co_return client;
    last = std::move(client).error();
    if (deadline.passed(env_.now())) break;
  }
  if (!connection_failed(last)) co_return last;
  co_return Error(farshore::ErrorCode::kUnavailable, "no broker can be reached (" + std::to_string(tried.size()) +
                                                         " addresses); last: " + last.to_string());
}

}  // namespace farshore::kafka
