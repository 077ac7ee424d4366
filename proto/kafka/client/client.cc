#include "proto/kafka/client/client.h"

#include <algorithm>

#include "proto/kafka/messages/api_versions.h"

namespace farshore::kafka {

namespace {

constexpr size_t kCorrelationBytes = sizeof(int32_t);
constexpr size_t kBodyBytesFirst = 64 << 10;
constexpr int16_t kUnsupportedVersion = 35;

std::string versions_text(int16_t low, int16_t high) {
  return low == high ? std::to_string(low) : std::to_string(low) + "-" + std::to_string(high);
}

}  // namespace

bool connection_failed(const Error& error) {
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

Client::Client(Reactor& reactor, Endpoint to, ClientOptions options, std::unique_ptr<Stream> stream)
    : reactor_(reactor),
      endpoint_(std::move(to)),
      options_(std::move(options)),
      where_("broker " + endpoint_.to_string()),
      stream_(std::move(stream)),
      writing_(reactor) {}

Client::~Client() { ensure(turns_.empty() || reactor_.dead(), "a client is destroyed when its calls have returned"); }

Task<Result<std::unique_ptr<Client>>> Client::connect(Reactor& reactor, Connector& connector, Endpoint to,
                                                      ClientOptions options, Deadline deadline) {
  auto stream = co_await connector.connect(to, deadline);
  if (!stream) co_return std::move(stream).error().in("broker " + to.to_string());
  std::unique_ptr<Client> client(new Client(reactor, std::move(to), std::move(options), std::move(*stream)));
  if (auto shaken = co_await client->handshake(deadline); !shaken) co_return std::move(shaken).error();
  co_return client;
}

Task<Status> Client::handshake(Deadline deadline) {
  const ApiInfo* api = find_api(ApiVersionsRequest::kApiKey);
  ApiVersionsRequest request;
  request.client_software_name = "farshore";
  request.client_software_version = options_.software_version;
  // A broker that does not know the version answers in version 0 with an error (KIP-511). Then we ask again in version
  // 0.
  for (int16_t version = api->max_version;; version = 0) {
    Writer writer;
    int32_t correlation_id = begin(writer, api->key, version);
    request.encode(writer, version);
    CO_TRY(Prepared prepared, finish(writer, version, correlation_id, deadline));
    const MonoTime asked_at = reactor_.now();
    CO_TRY(Bytes body, co_await exchange(std::move(prepared), deadline));
    round_trip_ = reactor_.now() - asked_at;
    Reader peek(body);
    int16_t error = peek.i16();
    if (peek.ok() && error == kUnsupportedVersion && version > 0) continue;
    Reader reader(body);
    auto response = ApiVersionsResponse::decode(reader, version);
    if (!response) co_return fail_here(std::move(response).error());
    if (response->error_code != 0) co_return fail_here(to_error(response->error_code, "ApiVersions"));
    for (const auto& each : response->api_keys) ranges_.push_back({each.api_key, each.min_version, each.max_version});
    std::sort(ranges_.begin(), ranges_.end(), [](const ApiRange& a, const ApiRange& b) { return a.key < b.key; });
    co_return ok();
  }
}

const ApiRange* Client::range_of(int16_t key) const {
  auto it = std::lower_bound(ranges_.begin(), ranges_.end(), key,
                             [](const ApiRange& range, int16_t wanted) { return range.key < wanted; });
  return it != ranges_.end() && it->key == key ? &*it : nullptr;
}

Result<int16_t> Client::version_for(int16_t key, int16_t version_max) const {
  const ApiInfo* ours = find_api(key);
  ensure(ours, "a request of one of our schemas");
  const ApiRange* theirs = range_of(key);
  if (!theirs) {
    return Error(farshore::ErrorCode::kUnsupported, "the broker does not have " + std::string(ours->name)).in(where_);
  }
  int16_t version = std::min({ours->max_version, theirs->max_version, version_max});
  if (version >= ours->min_version && version >= theirs->min_version) return version;
  // The versions of private APIs belong to a release of Farshore.
  std::string text = "it speaks " + std::string(ours->name) + " " +
                     versions_text(theirs->min_version, theirs->max_version) + ", and this program needs " +
                     versions_text(ours->min_version, std::min(ours->max_version, version_max)) +
                     (ours->is_private ? ": bring both to the same release of Farshore" : "");
  return Error(farshore::ErrorCode::kUnsupported, std::move(text)).in(where_);
}

int32_t Client::begin(Writer& writer, int16_t key, int16_t version) {
  int32_t correlation_id = next_correlation_id_;
  next_correlation_id_ = correlation_id == std::numeric_limits<int32_t>::max() ? 0 : correlation_id + 1;
  begin_request(writer, *find_api(key), version, correlation_id, options_.client_id);
  return correlation_id;
}

Result<Client::Prepared> Client::finish(Writer& writer, int16_t version, int32_t correlation_id, Deadline deadline) {
  auto message = finish_frame(writer);
  if (!message) return std::move(message).error().in(where_);
  return Prepared{version, correlation_id, std::move(*message), writing_.lock(deadline)};
}

bool Client::flexible_header(int16_t key, int16_t version) {
  return find_api(key)->response_header_version(version) >= 1;
}

Error Client::broken() const { return broken_.in(where_); }

Error Client::fail_here(Error error) {
  if (usable()) {
    broken_ = error;
    // The call that found the error returns it. Calls that wait only learn that the connection ended.
    if (broken_ == farshore::ErrorCode::kTimedOut) {
      broken_ = Error(farshore::ErrorCode::kConnectionReset, "closed because another request on it timed out");
    }
    stream_->close();
    for (const Turn& turn : turns_) turn.front.complete(broken());
  }
  return error.in(where_);
}

void Client::close() {
  if (!usable()) return;
  broken_ = Error(farshore::ErrorCode::kClosed);
  stream_->close();
  for (const Turn& turn : turns_) turn.front.complete(broken());
}

void Client::turn_done() {
  turns_.pop_front();
  if (!turns_.empty()) turns_.front().front.complete(ok());
}

Task<Result<size_t>> Client::send_and_reach(Prepared request, Deadline deadline) {
  Wait<void> front(reactor_);
  const int32_t correlation_id = request.correlation_id;
  {
    auto guard = co_await std::move(request.may_write);
    if (!usable()) co_return broken();
    if (!guard)
      co_return fail_here(
          std::move(guard).error());  // the calls before this one have blocked the socket until the deadline
    if (turns_.empty()) front.complete(ok());
    turns_.push_back({correlation_id, front});
    if (auto written = co_await write_message(*stream_, request.message, deadline); !written) {
      Error error = fail_here(std::move(written).error());
      std::erase_if(turns_, [&](const Turn& turn) { return turn.correlation_id == correlation_id; });
      co_return error;
    }
  }
  auto reached = co_await front.wait(deadline);
  if (reached && !usable()) reached = Status(broken());
  Error failed;
  std::byte prefix[sizeof(int32_t) + kCorrelationBytes];
  if (!reached) {
    failed = usable() ? fail_here(std::move(reached).error()) : std::move(reached).error();
  } else if (auto read = co_await read_exact(*stream_, MutableBytes(prefix), deadline); !read) {
    failed = usable() ? fail_here(std::move(read).error()) : broken();
  } else if (auto size = frame_size(load_be<int32_t>(prefix), options_.response_bytes_max); !size) {
    failed = fail_here(std::move(size).error());
  } else if (*size < kCorrelationBytes || load_be<int32_t>(prefix + sizeof(int32_t)) != correlation_id) {
    failed = fail_here(Error(farshore::ErrorCode::kCorrupt,
                             "the broker sent a response that belongs to no request; the connection is closed"));
  } else {
    co_return *size - kCorrelationBytes;
  }
  std::erase_if(turns_, [&](const Turn& turn) { return turn.correlation_id == correlation_id; });
  co_return failed;
}

Task<Result<Bytes>> Client::exchange(Prepared request, Deadline deadline) {
  CO_TRY(size_t size, co_await send_and_reach(std::move(request), deadline));
  // The buffer grows as bytes arrive, so that a length alone cannot cost memory.
  Bytes body;
  Status read;
  while (read && body.size() < size) {
    size_t filled = body.size();
    body.resize(std::min(size, std::max(filled * 2, kBodyBytesFirst)));
    read = co_await read_exact(*stream_, MutableBytes(body).subspan(filled), deadline);
  }
  turn_done();
  if (!read) co_return usable() ? fail_here(std::move(read).error()) : broken();
  co_return body;
}

Task<Result<void>> Client::fetch(FetchRequest request, SlabWriter& slabs, Budget* budget, FetchVisitor& visitor,
                                 Deadline deadline, int16_t version_max) {
  return stream_answer(prepare(request, deadline, version_max), slabs, budget, visitor, deadline);
}

Task<Result<void>> Client::stream_answer(Result<Prepared> request, SlabWriter& slabs, Budget* budget,
                                         FetchVisitor& visitor, Deadline deadline) {
  if (!request) co_return std::move(request).error();
  const int16_t version = request->version;
  CO_TRY(size_t size, co_await send_and_reach(std::move(*request), deadline));
  FetchDecoder decoder(version, size, slabs, budget, visitor);
  Status status;
  while (status && decoder.bytes_left() > 0) {
    FetchDecoder::Want want = decoder.want();
    auto read = co_await stream_->read_some(want.into, want.bytes_min, deadline);
    if (read) {
      status = decoder.filled(*read);
    } else {
      status = Status(std::move(read).error());
    }
  }
  if (status && !decoder.done()) {
    status = Status(Error(farshore::ErrorCode::kCorrupt, "Fetch response: message too short"));
  }
  turn_done();
  if (!status) co_return usable() ? fail_here(std::move(status).error()) : broken();
  co_return ok();
}

}  // namespace farshore::kafka
