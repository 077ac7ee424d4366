#include "offsets/client/consumer/internal/delivered_record.h"

#include <optional>
#include <utility>

namespace farshore::client {
namespace {

std::optional<std::string> bytes_of(const void* data, size_t size) {
  if (!data) return std::nullopt;
  return std::string(static_cast<const char*>(data), size);
}

}  // namespace

FailoverConsumer::Record delivered_record(const rd_kafka_message_t& message, std::string topic) {
  FailoverConsumer::Record record;
  record.topic = std::move(topic);
  record.partition = message.partition;
  record.offset = message.offset;
  record.key = bytes_of(message.key, message.key_len);
  record.value = bytes_of(message.payload, message.len);
  rd_kafka_timestamp_type_t type;
  record.timestamp_ms = rd_kafka_message_timestamp(&message, &type);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return record;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
    record.headers.emplace_back(name, bytes_of(value, size));
  return record;
}

}  // namespace farshore::client
