#include "broker/net/internal/connection.h"

#include <algorithm>

#include "proto/kafka/api_table.h"

namespace farshore::broker {
namespace {

constexpr size_t kResponseHeaderBytesMax = 9;  // length, correlation id, no tagged fields
// A response is written in parts of this size, and each part has the whole deadline: a client that reads slowly but
// steadily is not cut off. As large as what the network layer writes at once.
constexpr uint64_t kPartBytes = 256 << 10;
// Elements of all arrays in one request. Decoding them is one step, in which nobody else is served: some 50 ms.
constexpr size_t kRequestElementsMax = 300'000;
constexpr uint64_t kLargeAnswerBytes = 1 << 20;  // smaller ones are always written
constexpr int16_t kApiVersionsKey = 18;
constexpr int16_t kUnsupportedVersionCode = 35;

}  // namespace

Connection::Connection(ConnectionServices server, std::unique_ptr<Stream> stream, uint64_t id)
    : server_(server),
      stream_(std::move(stream)),
      state_(server.env),
      serving_(server.env),
      frames_(server.env, *stream_, server.arena, server.chunks, server.frames, serving_,
              server.options.request_bytes_max),
      ready_(server.env),
      taken_(server.env),
      gate_(server.env) {
  state_.id = id;
  state_.peer = stream_->peer();
}

Connection::~Connection() = default;

Task<void> Connection::run() {
  spawn(gate_, "connection read", read_loop());
  while (!stopping_) {
    if (!next_) {
      if (ended_) break;
      (void)co_await ready_.wait(Deadline::never());
      continue;
    }
    Frame frame = std::move(*next_);
    next_.reset();
    taken_.notify();
    serving_.now = true;
    bool go_on = co_await serve(frame);
    serving_.now = false;
    serving_.ended.notify();
    frames_.done(frame);
    if (!go_on) break;
  }
  stopping_ = true;
  state_.closed.close();
  taken_.notify();
  serving_.ended.close();
  stream_->close();
  co_await gate_.close();
}

void Connection::stop() {
  stopping_ = true;
  state_.closed.close();
  ready_.notify();
  if (!serving_.now) stream_->close();
}

Task<void> Connection::read_loop() {
  while (!stopping_) {
    if (next_) {
      (void)co_await taken_.wait(Deadline::never());
      continue;
    }
    auto frame = co_await frames_.next(server_.options.idle_max);
    if (!frame) {
      const Error& error = frame.error();
      if (error == ErrorCode::kCorrupt || error == ErrorCode::kTruncated)
        refuse("malformed", error);
      else if (error == ErrorCode::kResourceExhausted)
        refuse("oversized", error);
      else if (error == ErrorCode::kTimedOut)
        server_.metrics.closed("idle");
      break;
    }
    server_.metrics.received_bytes.add(frame->bytes.size() + sizeof(int32_t));
    next_ = std::move(*frame);
    ready_.notify();
  }
  ended_ = true;
  state_.closed.close();
  ready_.notify();
}

// The client's fault: counted, and said once (the connection ends with it).
void Connection::refuse(const char* reason, const Error& error) {
  server_.metrics.closed(reason);
  server_.env.log().info(
      "connection ended",
      {{"reason", reason}, {"peer", state_.peer.to_string()}, {"client", state_.software_name}, {"error", error}});
}

Task<bool> Connection::serve(Frame& frame) {
  kafka::Reader reader(frame.bytes.bytes());
  reader.limit_elements(kRequestElementsMax);
  RequestContext context(server_.services, state_);
  context.api_key = reader.i16();
  context.api_version = reader.i16();
  context.correlation_id = reader.i32();
  context.frame = frame.bytes.slab();
  context.frame_bytes = frame.bytes.size();
  context.received = frame.received;
  if (frame.memory)  // of a large request
    context.give_back = [&frame] {
      frame.bytes = Slice();
      frame.memory.reset();
    };
  const ApiEntry* entry = server_.apis.find(context.api_key);
  const kafka::ApiInfo* info = kafka::find_api(context.api_key);
  if (!reader.ok() || !entry || !info) {
    if (!reader.ok())
      refuse("malformed", reader.status().error());
    else
      refuse("unknown_api", Error(ErrorCode::kUnsupported, "API key " + std::to_string(context.api_key)));
    co_return false;
  }
  if (context.api_version < entry->versions.min || context.api_version > entry->versions.max)
    co_return co_await refuse_version(context);
  context.client_id = reader.nullable_string(false).value_or(std::string());
  if (info->flexible(context.api_version)) reader.skip_tagged_fields();
  auto body = co_await entry->handler(context, reader);
  if (!body) {
    if (body.error() == ErrorCode::kClosed) co_return false;
    refuse(body.error() == ErrorCode::kResourceExhausted ? "oversized" : "malformed", body.error().in(entry->name));
    co_return false;
  }
  context.release_frame();  // others need the memory while the answer is being read
  if (!context.no_response) {
    const bool tagged_header = info->response_header_version(context.api_version) == 1;
    const bool answered = co_await answer(context, *entry, *body, tagged_header);
    if (!answered) co_return false;
  }
  server_.metrics.served(*entry, server_.env.now() - context.received);
  co_return true;
}

Task<bool> Connection::answer(const RequestContext& context, const ApiEntry& entry, const kafka::WireMessage& body,
                              bool tagged_header) {
  const uint64_t bytes = body.memory_bytes();
  if (bytes > kLargeAnswerBytes) {
    answer_memory_ = server_.answers.open(*stream_, bytes);
    if (!answer_memory_) {
      refuse("overloaded", Error(ErrorCode::kResourceExhausted,
                                 "a response of " + std::to_string(bytes) + " bytes to " + entry.name +
                                     ": others that are being read take the memory (queued.max.response.bytes)"));
      co_return false;
    }
  }
  auto written = co_await respond(context, body, tagged_header);
  const bool gave_way = answer_memory_ && answer_memory_->gave_way();
  answer_memory_.reset();
  if (gave_way)
    refuse("slow_reader", Error(ErrorCode::kResourceExhausted,
                                "a response of " + std::to_string(bytes) + " bytes to " + entry.name +
                                    ": it was read slowly, and others need its memory (queued.max.response.bytes)"));
  else if (!written && written.error() == ErrorCode::kTimedOut)
    refuse("slow_reader", written.error());
  co_return written.has_value();
}

// The client has read so much that there was room for one more part.
void Connection::part_written() {
  if (answer_memory_) answer_memory_->progressed();
}

// KIP-511: a client that guesses too high a version of ApiVersions gets version 0 of the answer, which says what there
// is, and asks again. Any other request of an unknown version cannot be answered.
Task<bool> Connection::refuse_version(RequestContext& context) {
  if (context.api_key != kApiVersionsKey) {
    refuse("unsupported_version", Error(ErrorCode::kUnsupported, "version " + std::to_string(context.api_version) +
                                                                     " of API key " + std::to_string(context.api_key)));
    co_return false;
  }
  const ApiEntry* entry = server_.apis.find(kApiVersionsKey);
  kafka::Writer writer;
  writer.i16(kUnsupportedVersionCode);
  writer.array(false, 1);
  writer.i16(entry->key);
  writer.i16(entry->versions.min);
  writer.i16(entry->versions.max);
  auto body = writer.finish();
  ensure(body, "a constant response can be written");
  server_.metrics.error(kafka::ErrorCode::kUnsupportedVersion);
  auto written = co_await respond(context, *body, false);
  co_return written.has_value();
}

Task<Status> Connection::respond(const RequestContext& context, const kafka::WireMessage& body, bool tagged_header) {
  std::byte header[kResponseHeaderBytesMax];
  size_t header_size = sizeof(int32_t) * 2 + (tagged_header ? 1 : 0);
  uint64_t size = header_size - sizeof(int32_t) + body.size();
  if (size > INT32_MAX) co_return Error(ErrorCode::kResourceExhausted, "a response of more than 2 GiB");
  store_be<int32_t>(header, static_cast<int32_t>(size));
  store_be<int32_t>(header + 4, context.correlation_id);
  header[8] = std::byte{0};  // no tagged fields
  server_.metrics.sent_bytes.add(size + sizeof(int32_t));

  WriteList pieces;
  pieces.push_back(ConstBytes(header, header_size));
  for (const auto& piece : body.pieces()) {
    if (const auto* owned = std::get_if<kafka::WireMessage::OwnedRange>(&piece)) {
      pieces.push_back(body.bytes(*owned));
    } else if (const auto* slices = std::get_if<SliceList>(&piece)) {
      for (auto bytes : slices->pieces()) pieces.push_back(bytes);
    } else {
      CO_CHECK(co_await write(pieces));
      pieces.clear();
      CO_CHECK(co_await write_file(std::get<kafka::FileRange>(piece)));
    }
  }
  co_return co_await write(pieces);
}

Task<Status> Connection::write(const WriteList& pieces) {
  WriteList part;
  uint64_t part_bytes = 0;
  for (ConstBytes piece : pieces) {
    while (!piece.empty()) {
      const ConstBytes here = piece.first(std::min<size_t>(piece.size(), kPartBytes - part_bytes));
      part.push_back(here);
      part_bytes += here.size();
      piece = piece.subspan(here.size());
      if (part_bytes < kPartBytes) continue;
      CO_CHECK(
          co_await stream_->write(ConstBytesList(part.data(), part.size()), server_.env.in(server_.options.write_max)));
      part_written();
      part.clear();
      part_bytes = 0;
    }
  }
  if (part.empty()) co_return ok();
  co_return co_await stream_->write(ConstBytesList(part.data(), part.size()),
                                    server_.env.in(server_.options.write_max));
}

Task<Status> Connection::write_file(const kafka::FileRange& range) {
  for (uint64_t sent = 0; sent < range.length;) {
    const uint64_t part = std::min(range.length - sent, kPartBytes);
    CO_CHECK(co_await stream_->write_file(*range.file, range.position + sent, part,
                                          server_.env.in(server_.options.write_max)));
    part_written();
    sent += part;
  }
  co_return ok();
}

}  // namespace farshore::broker
