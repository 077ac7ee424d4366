// Any bytes as each value and key of the MetaStore. Each gives an error, or a value that is the same after it was
// encoded and decoded again. Input: one byte for the kind, then the text.
#include "base/ensure.h"
#include "broker/metadata/internal/codec.h"

using namespace farshore;
using namespace farshore::broker;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 6) {
    case 0:
      if (auto value = decode_cluster(text)) {
        auto again = decode_cluster(encode_cluster(*value));
        ensure(again && encode_cluster(*again) == encode_cluster(*value), "the same cluster");
      }
      break;
    case 1:
      if (auto value = decode_broker(BrokerId(1), text)) {
        auto again = decode_broker(BrokerId(1), encode_broker(*value));
        ensure(again && encode_broker(*again) == encode_broker(*value), "the same broker");
      }
      break;
    case 2:
      if (auto value = decode_producer_ids(text))
        ensure(decode_producer_ids(encode_producer_ids(*value)).value() == *value, "the same counter");
      break;
    case 3:
      if (auto value = decode_partition(3, text)) {
        auto again = decode_partition(3, encode_partition(*value));
        ensure(again && encode_partition(*again) == encode_partition(*value), "the same partition");
      }
      break;
    case 4:
      if (auto value = decode_topic("orders", text)) {
        auto again = decode_topic("orders", encode_topic(*value));
        ensure(again && encode_topic(*again) == encode_topic(*value), "the same topic");
      }
      break;
    default:
      if (auto key = parse_partition_key(text)) {
        auto again = parse_partition_key(partition_key(key->topic, key->partition));
        ensure(again && again->topic == key->topic && again->partition == key->partition, "the same key");
      }
  }
  return 0;
}
