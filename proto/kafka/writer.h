// Writer: encodes Kafka's primitive types into a message, see reader.h.
// `flexible` selects the compact form: lengths are unsigned varints plus one, and 0 means null.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/kafka/wire_types.h"

namespace farshore::kafka {

// The first error sticks: if a value cannot be written in the version, finish() fails with kUnsupported (the version
// lacks the field) or kInvalidArgument (null or too long) and names the field.
class Writer {
 public:
  Writer() { owned_.reserve(256); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void boolean(bool value) { number<int8_t>(value ? 1 : 0); }
  void i8(int8_t value) { number(value); }
  void i16(int16_t value) { number(value); }
  void u16(uint16_t value) { number(value); }
  void i32(int32_t value) { number(value); }
  void u32(uint32_t value) { number(value); }
  void i64(int64_t value) { number(value); }
  void f64(double value);
  void uuid(const Uuid& value);
  void unsigned_varint(uint32_t value);
  void varint(int32_t value);
  void varlong(int64_t value);

  void string(bool flexible, std::string_view value);
  void bytes(bool flexible, ConstBytes value);
  // `nullable`: this version may carry null. If it may not, null is an error that names `field`.
  void nullable_string(bool flexible, const std::optional<std::string>& value, bool nullable, std::string_view field);
  void nullable_bytes(bool flexible, const std::optional<Bytes>& value, bool nullable, std::string_view field);
  // Views are copied. Slices and file ranges become pieces of the message, without a copy.
  void records(bool flexible, const Records& value, bool nullable, std::string_view field);
  void raw(ConstBytes value) { owned_.insert(owned_.end(), value.begin(), value.end()); }

  void array(bool flexible, size_t count);
  void null_array(bool flexible, bool nullable, std::string_view field);

  void tag_count(uint32_t count) { unsigned_varint(count); }
  void begin_tag(uint32_t number);
  void end_tag();

  bool ok() const { return error_.code == farshore::ErrorCode::kNone; }
  void fail(farshore::ErrorCode code, std::string text);
  // Fails with kUnsupported: `field` has a value other than its default, and `version` has no such field.
  void fail_absent(std::string_view field, int16_t version);
  uint64_t size() const { return borrowed_ + owned_.size(); }
  // Overwrites four bytes at `offset` (a length prefix). They must stand before all slices and file ranges.
  void patch_i32(size_t offset, int32_t value);

  // Returns the message. The Writer is empty afterwards.
  Result<WireMessage> finish();

 private:
  template <class T>
  void number(T value) {
    size_t at = owned_.size();
    owned_.resize(at + sizeof(T));
    store_be(owned_.data() + at, value);
  }
  void length(bool flexible, bool wide, int64_t value);
  void flush();

  Bytes owned_;
  size_t flushed_ = 0;     // owned bytes that are in pieces_ already
  uint64_t borrowed_ = 0;  // bytes of slices and file ranges
  std::vector<WireMessage::Piece> pieces_;
  std::vector<size_t> tag_starts_;
  Error error_;
};

}  // namespace farshore::kafka
