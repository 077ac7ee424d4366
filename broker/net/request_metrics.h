// RequestMetrics: the metrics of requests and connections. Each counter is looked up once; counting is an addition.
// Executor: the broker's.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/metrics.h"
#include "base/time.h"
#include "broker/net/api_table.h"
#include "proto/kafka/error_code.h"

namespace farshore::broker {

class RequestMetrics {
 public:
  // `apis` outlives the metrics.
  RequestMetrics(MetricRegistry& registry, const ApiTable& apis);

  void served(const ApiEntry& entry, Duration took);
  // An error code in a response, also one of many in it. kNone counts nothing.
  void error(kafka::ErrorCode code);
  // Why a connection was ended by us: "unknown_api", "unsupported_version", "malformed", "oversized", "overloaded",
  // "refused", "idle", "slow_reader".
  void closed(const char* reason);

  Counter& received_bytes;
  Counter& sent_bytes;
  Counter& produced_bytes;  // record batches appended for clients
  Counter& fetched_bytes;   // record batches sent to consumers
  Gauge& connections;
  Counter& connections_accepted;

 private:
  struct Api {
    Counter* requests;
    Histogram* seconds;
  };
  MetricRegistry& registry_;
  const ApiTable& table_;
  std::vector<Api> apis_;  // as table_.entries()
  std::array<Counter*, 256> errors_{};
};

}  // namespace farshore::broker
