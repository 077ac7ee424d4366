// Text from Kafka clusters for replies and the command line: group ids, names and messages there are any bytes, and a
// protobuf string (a JSON string too) is UTF-8. Bytes that are none are written as \xNN.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

namespace farshore::linker {

// `text` itself if it is UTF-8.
std::string printable(std::string_view text);

// Every string field of the message, and of those inside it.
void make_printable(google::protobuf::Message& message);

}  // namespace farshore::linker
