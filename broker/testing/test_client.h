// For tests: a client connection on any Env. It sends well formed and broken requests, one after the other.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/env.h"
#include "proto/kafka/api_table.h"
#include "proto/kafka/wire.h"

namespace farshore::broker {

class TestClient {
 public:
  static constexpr Duration kLimit = seconds(30);

  // `limit`: of each connect, read and write.
  explicit TestClient(Env& env, Duration limit = kLimit) : env_(env), limit_(limit) {}

  Task<Status> connect(Endpoint to) {
    CO_TRY(stream_, co_await env_.network().connect(std::move(to), env_.in(limit_)));
    co_return ok();
  }

  template <class Request>
  Task<Result<typename Request::Response>> call(Request request, int16_t version) {
    CO_CHECK(co_await send(request, version));
    co_return co_await receive<Request>(version);
  }

  template <class Request>
  Task<Status> send(const Request& request, int16_t version) {
    kafka::Writer writer;
    write_header(writer, Request::kApiKey, version, Request::flexible(version));
    request.encode(writer, version);
    auto message = writer.finish();
    if (!message) co_return std::move(message).error();
    co_return co_await send_frame(message->to_bytes());
  }

  // The answer to the oldest request that has none yet.
  template <class Request>
  Task<Result<typename Request::Response>> receive(int16_t version) {
    CO_TRY(frame_, co_await receive_frame());
    kafka::Reader reader(frame_);
    if (reader.i32() != ++answered_) co_return Error(ErrorCode::kCorrupt, "answers are out of order");
    const kafka::ApiInfo* info = kafka::find_api(Request::kApiKey);
    if (info->response_header_version(version) == 1) reader.skip_tagged_fields();
    CO_TRY(auto response, Request::Response::decode(reader, version));
    CO_CHECK(reader.finish());
    co_return response;
  }

  void write_header(kafka::Writer& writer, int16_t key, int16_t version, bool flexible) {
    writer.i16(key);
    writer.i16(version);
    writer.i32(++sent_);
    writer.string(false, client_id);
    if (flexible) writer.tag_count(0);
  }
  Task<Status> send_frame(kafka::Bytes body) {
    kafka::Bytes frame(sizeof(int32_t));
    store_be<int32_t>(frame.data(), static_cast<int32_t>(body.size()));
    frame.insert(frame.end(), body.begin(), body.end());
    co_return co_await send_bytes(std::move(frame));
  }
  Task<Status> send_bytes(kafka::Bytes bytes) {
    ConstBytes piece(bytes);
    co_return co_await stream_->write(ConstBytesList(&piece, 1), env_.in(limit_));
  }
  Task<Result<kafka::Bytes>> receive_frame() {
    std::byte length[sizeof(int32_t)];
    CO_CHECK(co_await read_exact(*stream_, length, env_.in(limit_)));
    kafka::Bytes body(static_cast<size_t>(load_be<int32_t>(length)));
    CO_CHECK(co_await read_exact(*stream_, body, env_.in(limit_)));
    co_return body;
  }
  Task<Result<kafka::Bytes>> receive_bytes(size_t count) {
    kafka::Bytes bytes(count);
    CO_CHECK(co_await read_exact(*stream_, bytes, env_.in(limit_)));
    co_return bytes;
  }
  void close() { stream_->close(); }

  std::string client_id = "test";

 private:
  Env& env_;
  Duration limit_{};
  std::unique_ptr<Stream> stream_;
  kafka::Bytes frame_;  // views of the last response point into it
  int32_t sent_ = 0, answered_ = 0;
};

}  // namespace farshore::broker
