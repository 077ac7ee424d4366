// Reader: decodes Kafka's primitive types from one contiguous message: big-endian integers, varints, (compact) strings,
// bytes, arrays, tagged fields. Source: the protocol guide of kafka.apache.org, KIP-482 (compact types, tagged fields).
// `flexible` selects the compact form: lengths are unsigned varints plus one, and 0 means null.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/kafka/wire_types.h"

namespace farshore::kafka {

// Limits of every decoder, for requests and for responses: the peer may be hostile on either side.
inline constexpr uint32_t kTaggedFieldsMax = 64;       // per section
inline constexpr size_t kDecodedBytesFactor = 8;       // memory of decoded values, per byte of the message ...
inline constexpr size_t kDecodedBytesBase = 64 << 10;  // ... and this much in addition

// The first error sticks: after a short or invalid read every read returns zero or empty. So callers check status()
// once, at the end; loops check ok(). Errors: kCorrupt (malformed), kResourceExhausted (a limit above).
class Reader {
 public:
  explicit Reader(ConstBytes bytes) : Reader(bytes, bytes.size() * kDecodedBytesFactor + kDecodedBytesBase) {}
  // `decoded_bytes_max`: the memory that decoded strings, bytes and array elements may take. Views are free.
  Reader(ConstBytes bytes, size_t decoded_bytes_max)
      : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()), budget_(decoded_bytes_max) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // From here on, all arrays together may have so many elements: decoding more would hold up everybody else.
  void limit_elements(size_t elements_max) { elements_left_ = elements_max; }

  bool ok() const { return error_.code == farshore::ErrorCode::kNone; }
  // True if the only error is that the bytes ended. If the message is still arriving, decoding may succeed later.
  bool ended_early() const { return ended_early_; }
  Status status() const { return ok() ? Status() : Status(error_); }
  // status(); kCorrupt also if bytes are left.
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
  // The count alone, not checked against remaining(): for a caller that reads the elements as they arrive.
  int64_t array_count(bool flexible) { return length(flexible, true); }
  // As array(), but null is an error.
  int32_t required_array(bool flexible, size_t wire_bytes_min, size_t element_bytes);

  // Tagged fields: for (n = tag_count(); n > 0 && ok(); --n) { Tag tag = begin_tag(); read or skip; end_tag(tag); }
  struct Tag {
    uint32_t number = 0;
    const std::byte* outer_end = nullptr;
  };
  uint32_t tag_count();
  // Until end_tag() reads cannot go beyond the field. Tags must ascend; `previous` is the number before (-1 at first).
  Tag begin_tag(int64_t previous);
  void skip_tag() { at_ = end_; }
  // Fails unless the field was read to its end.
  void end_tag(const Tag& tag);
  // Skips a whole section of tagged fields.
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
  size_t elements_left_ = SIZE_MAX;
  Error error_;
  bool ended_early_ = false;
};

}  // namespace farshore::kafka
