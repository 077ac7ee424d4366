// ClusterClient: a Kafka cluster behind a list of addresses. Keeps one shared connection per broker, knows leaders and
// coordinators, reconnects with backoff, and notices when the addresses suddenly lead to another cluster.
// Executor: the Env's. No coroutine of its own: everything happens inside the calls.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/event.h"
#include "proto/kafka/client/client.h"

namespace farshore::kafka {

struct ClusterOptions {
  std::vector<Endpoint> bootstrap;  // at least one
  ClientOptions client;
  std::optional<std::string> cluster_id;  // refuse any other; not given: the first one that is seen
  Duration connect_timeout = seconds(10);
  Duration request_timeout = seconds(30);  // of one attempt
  Duration backoff_min = milliseconds(50), backoff_max = seconds(2);
};

// What the cluster said about itself; immutable.
struct ClusterView {
  struct Broker {
    Endpoint endpoint;
    std::string rack;
  };
  struct Partition {
    int16_t error_code = 0;  // of Kafka
    int32_t leader = -1, leader_epoch = -1;
    std::vector<int32_t> replicas, isr;
  };
  struct Topic {
    std::string name;
    Uuid id;  // zero: the broker is too old to say
    bool internal = false;
    int16_t error_code = 0;
    std::map<int32_t, Partition> partitions;
  };
  std::string cluster_id;
  int32_t controller = -1;
  std::map<int32_t, Broker> brokers;
  std::map<std::string, Topic> topics;  // those that were asked for, each as last seen

  const Partition* partition(std::string_view topic, int32_t index) const;
};

struct Leader {
  int32_t broker = -1, epoch = -1;
  Uuid topic_id;
};

enum class CoordinatorKind : int8_t { kGroup = 0, kTransaction = 1 };

// Whether a request may be sent again when nobody knows whether the first one was carried out.
enum class Repeat : uint8_t { kNo, kYes };

class ClusterClient {
 public:
  // `env` and `connector` must outlive it.
  ClusterClient(Env& env, Connector& connector, ClusterOptions options);
  ~ClusterClient();
  ClusterClient(const ClusterClient&) = delete;
  ClusterClient& operator=(const ClusterClient&) = delete;

  // Calls under way and later fail with kClosed. Destroy it when they have returned.
  void close();

  // Never null; empty before the first refresh.
  std::shared_ptr<const ClusterView> view() const { return view_; }
  // Asks any broker. kConflict: another cluster answers than before. Topics that are not there have their error_code.
  Task<Result<std::shared_ptr<const ClusterView>>> refresh_all(Deadline deadline);
  Task<Result<std::shared_ptr<const ClusterView>>> refresh(std::vector<std::string> topics, Deadline deadline);

  // The shared connection to a broker; it is only kept, not checked: a call on it may still fail.
  // kNotFound: no such broker (refresh); kUnavailable, kTimedOut.
  Task<Result<std::shared_ptr<Client>>> broker(int32_t id, Deadline deadline);
  // A connection of the caller's own: for long polls, which would hold up others.
  Task<Result<std::unique_ptr<Client>>> open(int32_t id, Deadline deadline);
  // A connection to some broker.
  Task<Result<std::shared_ptr<Client>>> any(Deadline deadline);

  // Waits while there is no leader. kNotFound: no such topic or partition.
  Task<Result<Leader>> leader(TopicPartition partition, Deadline deadline);
  // A caller learnt that this is not the leader any more: the next leader() asks again.
  void forget_leader(const TopicPartition& partition);
  // The broker id; waits while the cluster has none.
  Task<Result<int32_t>> coordinator(CoordinatorKind kind, std::string key, Deadline deadline);
  void forget_coordinator(CoordinatorKind kind, const std::string& key) { coordinators_.erase({kind, key}); }

  // To any broker. Failures of connections are retried until the deadline; with Repeat::kNo only while connecting.
  template <class Request>
  Task<Result<typename Request::Response>> call_any(Request request, Repeat repeat, Deadline deadline) {
    for (int attempt = 0;; ++attempt) {
      auto client = co_await any(deadline);
      if (client) {
        Request copy = request;
        auto response = co_await (*client)->call(std::move(copy), attempt_deadline(deadline));
        if (response || repeat == Repeat::kNo || !retriable(response.error())) co_return response;
      } else if (!retriable(client.error())) {
        co_return std::move(client).error();
      }
      CO_CHECK(co_await pause(attempt, deadline));
    }
  }

  // To a group's or a transactional id's coordinator. Also retried when the answer as a whole says that this is not the
  // coordinator, or that it is still loading (nothing was done then).
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
        } else if (repeat == Repeat::kNo || !retriable(response.error())) {
          co_return response;
        }
      } else if (!retriable(client.error()) && client.error().code != farshore::ErrorCode::kNotFound) {
        co_return std::move(client).error();
      }
      forget_coordinator(kind, key);
      CO_CHECK(co_await pause(attempt, deadline));
    }
  }

  // To the leader of a partition. `code_of(response)` is Kafka's code for the partition. Retried until the deadline
  // while connections fail or the code is one that passes (the last one is in the error then); any other code is an
  // error. kNotFound: no such topic or partition.
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
          if (!retriable(last)) co_return last.in(where);
        }
      } else {
        last = std::move(client).error();
        if (!retriable(last) && last.code != farshore::ErrorCode::kNotFound) co_return last.in(where);
      }
      forget_leader(partition);
      auto paused = co_await pause(attempt, deadline);
      if (!paused) co_return Error(paused.error().code, "last: " + last.to_string()).in(where);
    }
  }

  // Waits longer with each attempt; kTimedOut if the deadline comes first, kClosed.
  Task<Status> pause(int attempt, Deadline deadline);

 private:
  struct Connection {
    std::shared_ptr<Client> client;
    bool connecting = false;
    int failures = 0;
    MonoTime retry_at{};
    Error last_error;
  };

  Task<Result<std::shared_ptr<const ClusterView>>> refresh_now(std::optional<std::vector<std::string>> topics,
                                                               Deadline deadline);
  Task<Result<std::shared_ptr<Client>>> connected(int32_t id, Endpoint endpoint, Deadline deadline);
  Deadline attempt_deadline(Deadline deadline);
  Deadline connect_deadline(Deadline deadline);
  Duration backoff(int failures);
  static bool retriable(const Error& error);
  static bool coordinator_moved(int16_t error_code);

  Env& env_;
  Connector& connector_;
  const ClusterOptions options_;
  std::shared_ptr<const ClusterView> view_ = std::make_shared<ClusterView>();
  std::map<int32_t, Connection> connections_;  // by broker id; addresses of the bootstrap list are -1, -2, ...
  std::map<std::pair<CoordinatorKind, std::string>, int32_t> coordinators_;
  Notifier changed_;
  std::optional<std::string> cluster_id_;
  size_t next_bootstrap_ = 0;
  bool closed_ = false;
};

}  // namespace farshore::kafka
