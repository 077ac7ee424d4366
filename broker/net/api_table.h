// ApiTable: the APIs that a broker serves, as a value: dispatch, ApiVersions and the metrics of requests all read the
// same table. Composed once (handlers/api_table.h), and passed to the Server.
// Executor: any; immutable.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/task.h"
#include "broker/net/authorization.h"
#include "proto/kafka/wire.h"

namespace farshore::broker {

inline constexpr int16_t kPrivateApiKeysFrom = 10000;

struct RequestContext;

// Reads the request from `body`, serves it, and returns the response body (without header), encoded for
// context.api_version. An Error closes the connection; an error for the client is an error code in the response.
using HandlerFunction = Task<Result<kafka::WireMessage>> (*)(RequestContext& context, kafka::Reader& body);

struct ApiVersionRange {
  int16_t min = 0, max = 0;  // both served
};

struct ApiEntry {
  // All of them must be said: there is no default entry, and no default authorization.
  ApiEntry(int16_t k, const char* n, ApiVersionRange v, Authorization a, HandlerFunction h)
      : key(k), name(n), versions(v), authorization(std::move(a)), handler(h) {}

  int16_t key;
  const char* name;  // as Kafka spells it
  ApiVersionRange versions;
  Authorization authorization;
  HandlerFunction handler;
  // Farshore's own: listed in ApiVersions only to Farshore's own clients.
  bool private_api() const { return key >= kPrivateApiKeysFrom; }
};

class ApiTable {
 public:
  // Sorts by key. Ends the process if a key is there twice or a range of versions is empty: that is a bug in the
  // program.
  explicit ApiTable(std::vector<ApiEntry> entries);
  ApiTable(const ApiTable&) = delete;  // metrics and connections refer to the entries
  ApiTable& operator=(const ApiTable&) = delete;

  std::span<const ApiEntry> entries() const { return entries_; }  // by key
  // nullptr: not served. Valid as long as the table.
  const ApiEntry* find(int16_t key) const;
  // The position of an entry of this table in entries().
  size_t index(const ApiEntry& entry) const { return static_cast<size_t>(&entry - entries_.data()); }

 private:
  std::vector<ApiEntry> entries_;
};

}  // namespace farshore::broker
