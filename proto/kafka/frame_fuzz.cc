// Any bytes as a request frame's header, and as each primitive of the wire.
#include "proto/kafka/frame.h"

using namespace farshore;
using namespace farshore::kafka;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ConstBytes bytes(reinterpret_cast<const std::byte*>(data), size);
  Reader header(bytes);
  if (auto frame = parse_request_header(header); frame && frame->api->has(frame->header.request_api_version)) {
    Writer writer;
    begin_request(writer, *frame->api, frame->header.request_api_version, frame->header.correlation_id,
                  frame->header.client_id.value_or(""));
    (void)finish_frame(writer);
  }
  Reader reader(bytes);
  while (reader.ok() && reader.remaining() > 0) {
    switch (reader.i8() & 15) {
      case 0:
        (void)reader.varint();
        break;
      case 1:
        (void)reader.varlong();
        break;
      case 2:
        (void)reader.string(true);
        break;
      case 3:
        (void)reader.nullable_string(false);
        break;
      case 4:
        (void)reader.nullable_bytes(true);
        break;
      case 5:
        (void)reader.records(true);
        break;
      case 6:
        reader.skip_tagged_fields();
        break;
      case 7:
        (void)reader.array(true, 3, 40);
        break;
      case 8:
        (void)reader.uuid();
        break;
      default:
        (void)reader.i64();
        break;
    }
  }
  return 0;
}
