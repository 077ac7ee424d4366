// Kafka's primitive types on the wire: big-endian integers, varints, (compact) strings, bytes, arrays, tagged fields.
// Source: the protocol guide of kafka.apache.org, KIP-482 (compact types and tagged fields).
//
// "flexible" chooses the compact form: lengths as unsigned varint plus one, 0 meaning null.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/kafka/wire_types.h"

namespace farshore::kafka {

// Limits of every decoder, of requests and of responses: a hostile peer may be on either side.
inline constexpr size_t kStringBytesMax = 32767;       // what the non-compact form can carry
inline constexpr uint32_t kTaggedFieldsMax = 64;       // per section
inline constexpr size_t kDecodedBytesFactor = 8;       // memory of decoded values, per byte of frame ...
inline constexpr size_t kDecodedBytesBase = 64 << 10;  // ... and in addition to that

// Reads over one contiguous message. Sticky: after the first short or invalid read everything returns zero or empty, so
// callers check status() once, at the end (loops check ok()).
// Errors: kCorrupt (malformed), kResourceExhausted (a limit above).
class Reader {
 public:
  explicit Reader(ConstBytes bytes) : Reader(bytes, bytes.size() * kDecodedBytesFactor + kDecodedBytesBase) {}
  // `decoded_bytes_max`: how much memory the decoded values may take (strings, bytes and array elements; views are
  // free).
  Reader(ConstBytes bytes, size_t decoded_bytes_max)
      : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()), budget_(decoded_bytes_max) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  bool ok() const { return error_.code == farshore::ErrorCode::kNone; }
  // The error is that the bytes ended: more of them could help, where the message is still arriving.
  bool ended_early() const { return ended_early_; }
  Status status() const { return ok() ? Status() : Status(error_); }
  // status(), and everything was consumed.
  Status finish();
  size_t remaining() const { return static_cast<size_t>(end_ - at_); }
  size_t position() const { return static_cast<size_t>(at_ - begin_); }
  void fail(farshore::ErrorCode code, std::string_view what);

  bool boolean() { return number<int8_t>() != 0; }
  int8_t i8() { return number<int8_t>(); }
  int16_t i16() { return number<int16_t>(); }
  uint16_t u16() { return number<uint16_t>(); }
  int32_t i32() { return number<int32_t>(); }
  uint32_t u32() { return number<uint32_t>(); }
  int64_t i64() { return number<int64_t>(); }
  double f64();
  Uuid uuid();
  uint32_t unsigned_varint();  // at most 5 bytes
  int32_t varint();            // zigzag
  int64_t varlong();           // zigzag, at most 10 bytes

  std::string string(bool flexible);
  std::optional<std::string> nullable_string(bool flexible);
  Bytes bytes(bool flexible);
  std::optional<Bytes> nullable_bytes(bool flexible);
  Records records(bool flexible);  // a view into the message
  ConstBytes raw(size_t size);     // the next `size` bytes, as a view

  // The element count of an array, -1 for null. Fails unless count x wire_bytes_min <= remaining() and
  // count x element_bytes (in memory) is within the budget.
  int32_t array(bool flexible, size_t wire_bytes_min, size_t element_bytes);
  // The count alone, without checks against what is there: for who reads elements as they arrive.
  int64_t array_count(bool flexible) { return length(flexible, true); }
  // The same as array() where null is not allowed.
  int32_t required_array(bool flexible, size_t wire_bytes_min, size_t element_bytes);

  // Tagged fields: for (n = tag_count(); n > 0 && ok(); --n) { Tag tag = begin_tag(); read or skip; end_tag(tag); }
  struct Tag {
    uint32_t number = 0;
    const std::byte* outer_end = nullptr;
  };
  uint32_t tag_count();
  // Reads of the field cannot leave it. Tags must ascend; `previous` is the number before (-1 at first).
  Tag begin_tag(int64_t previous);
  void skip_tag() { at_ = end_; }
  // Fails unless the field was read to its end.
  void end_tag(const Tag& tag);
  // A whole section of which nothing is known.
  void skip_tagged_fields();

 private:
  template <class T>
  T number() {
    if (remaining() < sizeof(T)) [[unlikely]] {
      fail_short();
      return 0;
    }
    T value = load_be<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  uint64_t varint_bits(int bytes_max);
  int64_t length(bool flexible, bool wide);  // -1: null
  bool charge(size_t bytes);
  void fail_short();

  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
  size_t budget_;
  Error error_;
  bool ended_early_ = false;
};

// Builds a message. Sticky like the Reader: a value that cannot be written in this version makes finish() fail with
// kUnsupported (a field that the version lacks) or kInvalidArgument (null or too long), naming the field.
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
  // `nullable`: whether this version has a null; `field` is named in the error if not.
  void nullable_string(bool flexible, const std::optional<std::string>& value, bool nullable, std::string_view field);
  void nullable_bytes(bool flexible, const std::optional<Bytes>& value, bool nullable, std::string_view field);
  // Views are copied, slices and file ranges become pieces of the message.
  void records(bool flexible, const Records& value, bool nullable, std::string_view field);
  void raw(ConstBytes value) { owned_.insert(owned_.end(), value.begin(), value.end()); }

  void array(bool flexible, size_t count);
  void null_array(bool flexible, bool nullable, std::string_view field);

  void tag_count(uint32_t count) { unsigned_varint(count); }
  void begin_tag(uint32_t number);
  void end_tag();

  bool ok() const { return error_.code == farshore::ErrorCode::kNone; }
  void fail(farshore::ErrorCode code, std::string text);
  // `field` has a value that matters and version `version` cannot carry it.
  void fail_absent(std::string_view field, int16_t version);
  uint64_t size() const { return borrowed_ + owned_.size(); }
  // Overwrites four bytes of our own that were written at `offset` before any borrowed piece (a length prefix).
  void patch_i32(size_t offset, int32_t value);

  // The message; the Writer is empty after it.
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
