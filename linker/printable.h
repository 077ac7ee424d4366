// Makes text from Kafka clusters printable, for replies and the command line. Group ids, names and messages of a
// cluster are any bytes; a protobuf string and a JSON string are UTF-8. Bytes that are not UTF-8 are written as \xNN; a
// backslash is not escaped, so the text cannot be turned back.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

namespace farshore::linker {

// Returns `text` as it is if it is UTF-8.
std::string printable(std::string_view text);

// Does so with every string field of the message and of the messages inside it.
void make_printable(google::protobuf::Message& message);

}  // namespace farshore::linker
