// Frames: a length (int32), then a request or response header, then the message. Writing scatters nothing: an encoded
// message goes out as it is, slices by one gathering write, file ranges by sendfile.
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

// Begins a frame: encode the message into the same writer, then finish_frame().
void begin_request(Writer& writer, const ApiInfo& api, int16_t version, int32_t correlation_id,
                   std::string_view client_id);
void begin_response(Writer& writer, const ApiInfo& api, int16_t version, int32_t correlation_id);
// Sets the length. kInvalidArgument beyond 2 GiB; otherwise what Writer::finish() finds.
Result<WireMessage> finish_frame(Writer& writer);

// A request header and what it belongs to; the reader stands at the message then.
struct RequestFrame {
  const ApiInfo* api = nullptr;
  RequestHeader header;
};
// kUnsupported: no such API (the frame cannot be answered); kCorrupt. A version that we do not have is not an error
// here
// (`api->has()`): then only the fixed part of the header was read, and the message must not be.
Result<RequestFrame> parse_request_header(Reader& reader);

// One whole frame, without its length, as one slice of the arena. kCorrupt: a negative length; kResourceExhausted:
// longer than `bytes_max`; otherwise as Stream::read_some.
Task<Result<Slice>> read_frame(Stream& stream, SlabArena& arena, size_t bytes_max, Deadline deadline);
// Checks the length prefix.
Result<size_t> frame_size(int32_t length, size_t bytes_max);

// The message and what it borrows must stay until it resolves.
Task<Status> write_message(Stream& stream, const WireMessage& message, Deadline deadline);

// The part of `frame` that `view` shows: to keep `records` beyond the frame's other bytes without a copy.
Slice slice_of(const Slice& frame, ConstBytes view);

}  // namespace farshore::kafka
