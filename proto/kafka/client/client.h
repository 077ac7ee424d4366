// Client: one connection to one broker. Requests are pipelined, and answers arrive in the order of the requests. Each
// call has a deadline and uses the highest version that both sides have. Requests are sent in the order in which call()
// and fetch() were called, not in the order in which their tasks are awaited. To pipeline, make the calls first and
// hand the tasks to coroutines afterwards. A request that times out, or an answer that cannot be decoded, breaks the
// connection: all calls that wait on it and all later calls fail, and a new Client is needed (see cluster_client.h).
// Every error names the broker's address. Executor: the Env's. A client starts no coroutine: each caller reads its own
// answer when its turn comes.
#pragma once

#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/async_mutex.h"
#include "base/event.h"
#include "base/net.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/fetch_stream.h"
#include "proto/kafka/frame.h"

namespace farshore::kafka {

struct ClientOptions {
  std::string client_id = "farshore";
  std::string software_version = "0.1.0";  // sent to the broker with the name "farshore" (KIP-511)
  size_t response_bytes_max = 100 << 20;   // of one response, also of one that is decoded while it arrives
};

// True if the connection failed, not the request: the same call may succeed on another connection, or later.
bool connection_failed(const Error& error);

struct ApiRange {
  int16_t key, min_version, max_version;
};

class Client {
 public:
  // Connects and asks the broker for its API versions. `reactor` must outlive the client.
  static Task<Result<std::unique_ptr<Client>>> connect(Reactor& reactor, Connector& connector, Endpoint to,
                                                       ClientOptions options, Deadline deadline);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }
  bool usable() const { return broken_.code == farshore::ErrorCode::kNone; }
  size_t waiting() const { return turns_.size(); }
  Duration round_trip() const { return round_trip_; }  // of the ApiVersions request, the first on the connection
  // Ends the connection; calls under way fail with kClosed. Destroy the client after they have returned.
  void close();

  // The versions that the broker announced; nullptr: it does not have the API.
  const ApiRange* range_of(int16_t key) const;
  // The highest version that both sides have, at most `version_max`. kUnsupported names the versions of both sides.
  Result<int16_t> version_for(int16_t key, int16_t version_max = kNewest) const;
  static constexpr int16_t kNewest = std::numeric_limits<int16_t>::max();

  // Sends a request and returns its answer, whatever error codes the answer carries. Not for Fetch (see fetch()) and
  // not for requests without an answer (Produce with acks=0). A task that is dropped before it is awaited sends
  // nothing.
  template <class Request>
  Task<Result<typename Request::Response>> call(Request request, Deadline deadline, int16_t version_max = kNewest) {
    static_assert(Request::kApiKey != 1, "records are streamed: use fetch()");
    return answer<typename Request::Response>(prepare(request, deadline, version_max), Request::kApiKey, deadline);
  }

  // Fetch, with the answer decoded while it arrives. `visitor` and `slabs` must stay until it resolves. With
  // `version_max` 12 topics are named instead of identified by id.
  Task<Result<void>> fetch(FetchRequest request, SlabWriter& slabs, Budget* budget, FetchVisitor& visitor,
                           Deadline deadline, int16_t version_max = kNewest);

 private:
  struct Turn {
    int32_t correlation_id;
    Wait<void> front;  // completed when this is the oldest unanswered request, or the connection is broken
  };

  // An encoded request that has its place in the order of writing.
  struct Prepared {
    int16_t version;
    int32_t correlation_id;
    WireMessage message;
    Task<Result<AsyncMutex::Guard>> may_write;
  };

  Client(Reactor& reactor, Endpoint to, ClientOptions options, std::unique_ptr<Stream> stream);
  Task<Status> handshake(Deadline deadline);

  template <class Request>
  Result<Prepared> prepare(const Request& request, Deadline deadline, int16_t version_max) {
    auto version = version_for(Request::kApiKey, version_max);
    if (!version) return std::move(version).error();
    Writer writer;
    int32_t correlation_id = begin(writer, Request::kApiKey, *version);
    request.encode(writer, *version);
    if constexpr (requires { request.acks; }) {
      if (request.acks == 0) writer.fail(farshore::ErrorCode::kInvalidArgument, "acks=0 has no answer to wait for");
    }
    return finish(writer, *version, correlation_id, deadline);
  }
  template <class Response>
  Task<Result<Response>> answer(Result<Prepared> request, int16_t key, Deadline deadline) {
    if (!request) co_return std::move(request).error();
    const int16_t version = request->version;
    CO_TRY(Bytes body, co_await exchange(std::move(*request), deadline));
    Reader reader(body);
    if (flexible_header(key, version)) reader.skip_tagged_fields();
    auto response = Response::decode(reader, version);
    if (!response) co_return fail_here(std::move(response).error());
    co_return std::move(*response);
  }
  Task<Result<void>> stream_answer(Result<Prepared> request, SlabWriter& slabs, Budget* budget, FetchVisitor& visitor,
                                   Deadline deadline);

  int32_t begin(Writer& writer, int16_t key, int16_t version);
  Result<Prepared> finish(Writer& writer, int16_t version, int32_t correlation_id, Deadline deadline);
  static bool flexible_header(int16_t key, int16_t version);
  Task<Result<Bytes>> exchange(Prepared request, Deadline deadline);
  // Writes the request, waits until its answer is the next one, and reads that up to the correlation id. Returns the
  // number of bytes that follow.
  Task<Result<size_t>> send_and_reach(Prepared request, Deadline deadline);
  void turn_done();
  Error fail_here(Error error);  // breaks the connection; returns the error with the address
  Error broken() const;

  Reactor& reactor_;
  const Endpoint endpoint_;
  const ClientOptions options_;
  const std::string where_;
  std::unique_ptr<Stream> stream_;
  AsyncMutex writing_;
  std::deque<Turn> turns_;  // unanswered requests, oldest first
  std::vector<ApiRange> ranges_;
  int32_t next_correlation_id_ = 0;
  Error broken_;
  Duration round_trip_{};
};

}  // namespace farshore::kafka
