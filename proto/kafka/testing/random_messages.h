// For tests and fuzzers: fills every message of schema/ with random values, encodes it and decodes it again. The
// definitions are generated (random_messages.cc).
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "proto/kafka/wire.h"

namespace farshore::kafka {

// Makes random values that are legal in every field of their type. Records are views into this object.
class RandomFill {
 public:
  explicit RandomFill(Random& random) : random_(random) {}
  bool coin() { return random_.chance(0.5); }
  size_t count() { return random_.below(4); }
  void set(bool& value) { value = coin(); }
  template <class T>
    requires std::is_integral_v<T>
  void set(T& value) {
    value = random_.chance(0.1) ? T(-1) : static_cast<T>(random_.next());
  }
  void set(double& value) { value = static_cast<double>(static_cast<int64_t>(random_.next())); }
  void set(Uuid& value) { value = random_.uuid(); }
  void set(std::string& value) {
    value.clear();
    for (size_t n = length(); n > 0; --n) value += static_cast<char>('a' + random_.below(26));
  }
  void set(Bytes& value) {
    value.resize(length());
    for (auto& byte : value) byte = static_cast<std::byte>(random_.next());
  }
  void set(Records& value) {
    if (random_.chance(0.2)) {
      value = Records();
      return;
    }
    set(storage_.emplace_back());
    value = Records::view(storage_.back());
  }

 private:
  // Sometimes so long that the length takes two bytes as a varint.
  size_t length() { return random_.chance(0.1) ? 120 + random_.below(200) : random_.below(12); }
  Random& random_;
  std::deque<Bytes> storage_;
};

struct MessageCase {
  std::string_view name;
  int16_t key;  // -1: no API
  bool request;
  int16_t min_version, max_version;
  std::function<Bytes(Random&, int16_t version)> random;                       // one encoded message
  std::function<Status(ConstBytes, int16_t version)> decode;                   // the whole of the bytes
  std::function<Result<Bytes>(Reader&, int16_t version)> recode;               // decoded and encoded again
  std::function<std::string(Random&, int16_t version)> round_trip_difference;  // empty: there is none
};

std::vector<MessageCase> message_cases();

template <class M>
MessageCase message_case(int16_t key, bool request) {
  MessageCase it{M::kName, key, request, M::kMinVersion, M::kMaxVersion, {}, {}, {}, {}};
  it.random = [](Random& random, int16_t version) {
    RandomFill fills(random);
    M message;
    fill(fills, version, message);
    Writer writer;
    message.encode(writer, version);
    return writer.finish().value().to_bytes();
  };
  it.decode = [](ConstBytes bytes, int16_t version) -> Status {
    Reader reader(bytes);
    auto message = M::decode(reader, version);
    if (!message) return std::move(message).error();
    return reader.finish();
  };
  it.recode = [](Reader& reader, int16_t version) -> Result<Bytes> {
    FARSHORE_TRY(M message, M::decode(reader, version));
    FARSHORE_CHECK(reader.finish());
    Writer writer;
    message.encode(writer, version);
    FARSHORE_TRY(WireMessage encoded, writer.finish());
    return encoded.to_bytes();
  };
  it.round_trip_difference = [](Random& random, int16_t version) -> std::string {
    RandomFill fills(random);
    M message;
    fill(fills, version, message);
    Writer writer;
    message.encode(writer, version);
    auto size = writer.size();
    auto encoded = writer.finish();
    if (!encoded) return encoded.error().to_string();
    Bytes bytes = encoded->to_bytes();
    if (bytes.size() != size || encoded->size() != size) return "sizes differ";
    Reader reader(bytes);
    auto again = M::decode(reader, version);
    if (!again) return again.error().to_string();
    if (auto status = reader.finish(); !status) return status.error().to_string();
    return *again == message ? "" : "the decoded message differs";
  };
  return it;
}

}  // namespace farshore::kafka
