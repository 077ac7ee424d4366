// Frames: a length (int32), then a request or response header, then the message. Slices of a message are sent by one
// gathering write, file ranges by sendfile.
// Source: the protocol guide of kafka.apache.org; KIP-482 (header versions), KIP-511 (ApiVersions keeps header 0).
#pragma once

#include <string_view>

#include "base/net.h"
#include "proto/kafka/api_table.h"
#include "proto/kafka/messages/header.h"
#include "proto/kafka/wire.h"

namespace farshore::kafka {

inline constexpr size_t kFrameBytesBeforeAuthMax = 64 << 10;
inline constexpr size_t kFrameBytesMax = 100 << 20;  // as Kafka's socket.request.max.bytes

// Begins a frame. The caller then encodes the message into the same writer and calls finish_frame().
void begin_request(Writer& writer, const ApiInfo& api, int16_t version, int32_t correlation_id,
                   std::string_view client_id);
void begin_response(Writer& writer, const ApiInfo& api, int16_t version, int32_t correlation_id);
// Sets the length. kInvalidArgument: more than 2 GiB; other errors as Writer::finish().
Result<WireMessage> finish_frame(Writer& writer);

// A request header and its API.
struct RequestFrame {
  const ApiInfo* api = nullptr;
  RequestHeader header;
};
// Afterwards the reader is at the first byte of the message. kUnsupported: no such API, so the frame cannot be
// answered; kCorrupt. An unknown version is not an error here (ask `api->has()`): then only the fixed part of the
// header was read, and the message must not be read.
Result<RequestFrame> parse_request_header(Reader& reader);

// Reads one whole frame into one slice of the arena, without its length. kCorrupt: a negative length;
// kResourceExhausted: longer than `bytes_max`; other errors as Stream::read_some.
Task<Result<Slice>> read_frame(Stream& stream, SlabArena& arena, size_t bytes_max, Deadline deadline);
// Checks the length prefix.
Result<size_t> frame_size(int32_t length, size_t bytes_max);

// The message and its slices and files must stay until it resolves.
Task<Status> write_message(Stream& stream, const WireMessage& message, Deadline deadline);

// The slice of `frame` that `view` covers. With it `records` can outlive the rest of the frame without a copy.
Slice slice_of(const Slice& frame, ConstBytes view);

}  // namespace farshore::kafka
