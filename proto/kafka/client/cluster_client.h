// ClusterClient: calls the brokers of one Kafka cluster, which it finds behind a list of bootstrap addresses. It keeps
// one shared connection per broker, finds leaders and coordinators, repeats calls with backoff until their deadline,
// and refuses to go on when another cluster answers at the addresses. Metadata requests never create topics. Executor:
// the Env's. It starts no coroutine: all work happens inside the calls.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/async_mutex.h"
#include "base/env.h"
#include "base/event.h"
#include "proto/kafka/client/client.h"
#include "proto/kafka/client/cluster_view.h"

namespace farshore::kafka {

struct ClusterOptions {
  std::vector<Endpoint> bootstrap;  // at least one
  ClientOptions client;
  std::optional<std::string> cluster_id;  // any other is refused; nullopt: the first one that answers
  Duration connect_timeout = seconds(10);
  Duration request_timeout = seconds(30);  // of one attempt
  Duration backoff_min = milliseconds(50), backoff_max = seconds(2);
};

struct Leader {
  int32_t broker = -1, epoch = -1;
  Uuid topic_id;
};

enum class CoordinatorKind : int8_t { kGroup = 0, kTransaction = 1 };

// May a request be sent again if we do not know whether the broker executed it?
enum class Repeat : uint8_t { kNo, kYes };

class ConnectionPool;

class ClusterClient {
 public:
  // `env` and `connector` must outlive it.
  ClusterClient(Env& env, Connector& connector, ClusterOptions options);
  ~ClusterClient();
  ClusterClient(const ClusterClient&) = delete;
  ClusterClient& operator=(const ClusterClient&) = delete;

  Env& env() const { return env_; }

  // Calls under way and later fail with kClosed. Destroy it when they have returned.
  void close();

  // The same cluster has other addresses from now on. Connections end; later calls find its brokers through these.
  void set_bootstrap(std::vector<Endpoint> bootstrap);

  // Never null; empty before the first refresh. It does not change while somebody holds it.
  std::shared_ptr<const ClusterView> view() const { return view_; }
  // Asks any broker about all topics or about `topics`, and publishes a new view. A topic that does not exist is in the
  // view with its error_code. kConflict: another cluster answers than before.
  Task<Result<std::shared_ptr<const ClusterView>>> refresh_all(Deadline deadline);
  Task<Result<std::shared_ptr<const ClusterView>>> refresh(std::vector<std::string> topics, Deadline deadline);

  // The shared connection to a broker. It was up when it was last used; a call on it may still fail.
  // kNotFound: the view has no such broker (refresh); kUnavailable, kTimedOut: it cannot be reached.
  Task<Result<std::shared_ptr<Client>>> broker(int32_t id, Deadline deadline);
  // A connection of the caller's own, for long polls: on a shared one they would hold up other calls.
  Task<Result<std::unique_ptr<Client>>> open(int32_t id, Deadline deadline);
  // A connection to some broker.
  Task<Result<std::shared_ptr<Client>>> any(Deadline deadline);

  // Waits while the partition has no leader. kNotFound: no such topic or partition.
  Task<Result<Leader>> leader(TopicPartition partition, Deadline deadline);
  // The next leader() asks the cluster again. To be called when a broker says that it is not the leader.
  void forget_leader(const TopicPartition& partition);
  // The id of the coordinator's broker. Waits while the cluster has no coordinator for `key`.
  Task<Result<int32_t>> coordinator(CoordinatorKind kind, std::string key, Deadline deadline);
  void forget_coordinator(CoordinatorKind kind, const std::string& key) { coordinators_.erase({kind, key}); }

  // Calls any broker. If a connection fails, the call is repeated until the deadline; with Repeat::kNo only as long as
  // the request was not sent.
  template <class Request>
  Task<Result<typename Request::Response>> call_any(Request request, Repeat repeat, Deadline deadline) {
    for (int attempt = 0;; ++attempt) {
      auto client = co_await any(deadline);
      if (client) {
        Request copy = request;
        auto response = co_await (*client)->call(std::move(copy), attempt_deadline(deadline));
        if (response || repeat == Repeat::kNo || !connection_failed(response.error())) co_return response;
      } else if (!connection_failed(client.error())) {
        co_return std::move(client).error();
      }
      CO_CHECK(co_await pause(attempt, deadline));
    }
  }

  // Calls the coordinator of a group or of a transactional id. Also repeated when the response's error_code says that
  // the broker is not the coordinator or is still loading: then it executed nothing.
  template <class Request>
  Task<Result<typename Request::Response>> call_coordinator(CoordinatorKind kind, std::string key, Request request,
                                                            Repeat repeat, Deadline deadline) {
    for (int attempt = 0;; ++attempt) {
      CO_TRY(int32_t id, co_await coordinator(kind, key, deadline));
      auto client = co_await broker(id, deadline);
      if (client) {
        Request copy = request;
        auto response = co_await (*client)->call(std::move(copy), attempt_deadline(deadline));
        if (response) {
          int16_t error = 0;
          if constexpr (requires { response->error_code; }) error = response->error_code;
          if (!coordinator_moved(error)) co_return response;
        } else if (repeat == Repeat::kNo || !connection_failed(response.error())) {
          co_return response;
        }
      } else if (!connection_failed(client.error()) && client.error().code != farshore::ErrorCode::kNotFound) {
        co_return std::move(client).error();
      }
      forget_coordinator(kind, key);
      CO_CHECK(co_await pause(attempt, deadline));
    }
  }

  // Calls the leader of a partition. `code_of(response)` returns Kafka's code for the partition. Repeated until the
  // deadline while connections fail or the code is retriable (the error then names the last one). Any other code is
  // returned as an error. kNotFound: no such topic or partition.
  template <class Request, class CodeOf>
  Task<Result<typename Request::Response>> call_leader(TopicPartition partition, Request request, CodeOf code_of,
                                                       Deadline deadline) {
    const std::string where = partition.topic + "-" + std::to_string(partition.partition);
    Error last;
    for (int attempt = 0;; ++attempt) {
      TopicPartition wanted = partition;
      CO_TRY(Leader leader, co_await this->leader(std::move(wanted), deadline));
      auto client = co_await broker(leader.broker, deadline);
      if (client) {
        Request copy = request;
        auto response = co_await (*client)->call(std::move(copy), attempt_deadline(deadline));
        if (response) {
          const int16_t code = code_of(*response);
          if (code == 0) co_return response;
          last = to_error(code, where);
          if (!error_retriable(static_cast<ErrorCode>(code))) co_return last;
        } else {
          last = std::move(response).error();
          if (!connection_failed(last)) co_return last.in(where);
        }
      } else {
        last = std::move(client).error();
        if (!connection_failed(last) && last.code != farshore::ErrorCode::kNotFound) co_return last.in(where);
      }
      forget_leader(partition);
      auto paused = co_await pause(attempt, deadline);
      if (!paused) co_return Error(paused.error().code, "last: " + last.to_string()).in(where);
    }
  }

  // Sleeps longer with each attempt, from backoff_min to backoff_max. kTimedOut: the deadline comes first; kClosed.
  Task<Status> pause(int attempt, Deadline deadline);

 private:
  Task<Result<std::shared_ptr<const ClusterView>>> refresh_now(std::optional<std::vector<std::string>> topics,
                                                               Deadline deadline);
  // One FindCoordinator request. nullopt: it has to be repeated.
  Task<Result<std::optional<int32_t>>> ask_coordinator(CoordinatorKind kind, std::string key, Deadline deadline);
  Result<Endpoint> endpoint_of(int32_t id) const;
  Deadline attempt_deadline(Deadline deadline);
  static bool coordinator_moved(int16_t error_code);
  // The view, to be changed: a copy of it if somebody holds it. Not held across an await. So a change costs what
  // changes, not what the cluster has.
  ClusterView& changing_view();
  std::optional<Leader> known_leader(const TopicPartition& partition) const;
  Status check_exists(const TopicPartition& partition) const;  // as far as the view knows
  // Asks for topics without a known leader; calls that come while a request is under way share the next one.
  Task<Status> refresh_missing(std::string topic, Deadline deadline);

  Env& env_;
  ClusterOptions options_;
  const std::unique_ptr<ConnectionPool> connections_;
  std::shared_ptr<ClusterView> view_ = std::make_shared<ClusterView>();
  struct MissingTopics {
    explicit MissingTopics(Reactor& reactor) : turn(reactor) {}
    AsyncMutex turn;
    std::set<std::string> wanted;  // by the next request
    Status last;                   // of the last one
  } missing_;
  std::map<std::pair<CoordinatorKind, std::string>, int32_t> coordinators_;
  std::optional<std::string> cluster_id_;
};

}  // namespace farshore::kafka
