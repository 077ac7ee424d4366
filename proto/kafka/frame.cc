#include "proto/kafka/frame.h"

#include <limits>

namespace farshore::kafka {

void begin_request(Writer& writer, const ApiInfo& api, int16_t version, int32_t correlation_id,
                   std::string_view client_id) {
  ensure(writer.size() == 0, "a frame begins in an empty writer");
  writer.i32(0);  // the length, set by finish_frame()
  RequestHeader header;
  header.request_api_key = api.key;
  header.request_api_version = version;
  header.correlation_id = correlation_id;
  header.client_id = std::string(client_id);
  header.encode(writer, api.request_header_version(version));
}

void begin_response(Writer& writer, const ApiInfo& api, int16_t version, int32_t correlation_id) {
  ensure(writer.size() == 0, "a frame begins in an empty writer");
  writer.i32(0);
  ResponseHeader header;
  header.correlation_id = correlation_id;
  header.encode(writer, api.response_header_version(version));
}

Result<WireMessage> finish_frame(Writer& writer) {
  uint64_t size = writer.size() - sizeof(int32_t);
  if (size > std::numeric_limits<int32_t>::max()) {
    writer.fail(farshore::ErrorCode::kInvalidArgument, "frame of " + std::to_string(size) + " bytes; at most 2 GiB");
  }
  writer.patch_i32(0, static_cast<int32_t>(size));
  return writer.finish();
}

Result<RequestFrame> parse_request_header(Reader& reader) {
  RequestFrame frame;
  frame.header.request_api_key = reader.i16();
  frame.header.request_api_version = reader.i16();
  frame.header.correlation_id = reader.i32();
  if (auto status = reader.status(); !status) return status.error().in("request header");
  frame.api = find_api(frame.header.request_api_key);
  if (!frame.api) {
    return Error(farshore::ErrorCode::kUnsupported, "unknown API key " + std::to_string(frame.header.request_api_key));
  }
  if (!frame.api->has(frame.header.request_api_version)) return frame;
  frame.header.client_id = reader.nullable_string(false);
  if (frame.api->flexible(frame.header.request_api_version)) reader.skip_tagged_fields();
  if (auto status = reader.status(); !status) return status.error().in("request header");
  return frame;
}

Result<size_t> frame_size(int32_t length, size_t bytes_max) {
  if (length < 0) return Error(farshore::ErrorCode::kCorrupt, "frame of negative length " + std::to_string(length));
  if (static_cast<size_t>(length) > bytes_max) {
    return Error(farshore::ErrorCode::kResourceExhausted,
                 "frame of " + std::to_string(length) + " bytes; at most " + std::to_string(bytes_max));
  }
  return static_cast<size_t>(length);
}

Task<Result<Slice>> read_frame(Stream& stream, SlabArena& arena, size_t bytes_max, Deadline deadline) {
  std::byte prefix[sizeof(int32_t)];
  CO_CHECK(co_await read_exact(stream, MutableBytes(prefix), deadline));
  CO_TRY(size_t size, frame_size(load_be<int32_t>(prefix), bytes_max));
  if (size == 0) co_return Slice();
  Slice frame(arena.allocate(size), 0, size);
  CO_CHECK(co_await read_exact(stream, frame.mutable_bytes(), deadline));
  co_return frame;
}

Task<Status> write_message(Stream& stream, const WireMessage& message, Deadline deadline) {
  boost::container::small_vector<ConstBytes, 16> gathered;
  for (const WireMessage::Piece& piece : message.pieces()) {
    if (auto* own = std::get_if<WireMessage::OwnedRange>(&piece)) {
      gathered.push_back(message.bytes(*own));
    } else if (auto* slices = std::get_if<SliceList>(&piece)) {
      for (const Slice& slice : slices->slices()) gathered.push_back(slice.bytes());
    } else {
      const auto& range = std::get<FileRange>(piece);
      if (!gathered.empty()) CO_CHECK(co_await stream.write(ConstBytesList(gathered), deadline));
      gathered.clear();
      CO_CHECK(co_await stream.write_file(*range.file, range.position, range.length, deadline));
    }
  }
  if (gathered.empty()) co_return ok();
  co_return co_await stream.write(ConstBytesList(gathered), deadline);
}

Slice slice_of(const Slice& frame, ConstBytes view) {
  if (view.empty()) return {};
  ConstBytes all = frame.bytes();
  ensure(view.data() >= all.data() && view.data() + view.size() <= all.data() + all.size(), "a view into this frame");
  return frame.sub(static_cast<size_t>(view.data() - all.data()), view.size());
}

}  // namespace farshore::kafka
