#include "proto/kafka/reader.h"

#include <bit>
#include <limits>

namespace farshore::kafka {

void Reader::fail(farshore::ErrorCode code, std::string_view what) {
  if (ok()) error_ = Error(code, std::string(what) + " at byte " + std::to_string(position()));
  at_ = end_;  // then every later read fails, and loops over remaining() end
}

void Reader::fail_short() {
  if (ok()) ended_early_ = true;
  fail(farshore::ErrorCode::kCorrupt, "message too short");
}

Status Reader::finish() {
  if (ok() && at_ != end_) fail(farshore::ErrorCode::kCorrupt, std::to_string(remaining()) + " bytes too many");
  return status();
}

bool Reader::charge(size_t bytes) {
  if (bytes > budget_) {
    fail(farshore::ErrorCode::kResourceExhausted, "message would take too much memory when decoded");
    return false;
  }
  budget_ -= bytes;
  return true;
}

double Reader::f64() { return std::bit_cast<double>(number<int64_t>()); }

Uuid Reader::uuid() {
  Uuid id;
  ConstBytes from = raw(id.bytes.size());
  if (!from.empty()) std::memcpy(id.bytes.data(), from.data(), from.size());
  return id;
}

uint64_t Reader::varint_bits(int bytes_max) {
  uint64_t value = 0;
  for (int i = 0; i < bytes_max; ++i) {
    if (at_ == end_) {
      fail_short();
      return 0;
    }
    auto byte = static_cast<uint8_t>(*at_++);
    value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (!(byte & 0x80)) return value;
  }
  fail(farshore::ErrorCode::kCorrupt, "varint too long");
  return 0;
}

uint32_t Reader::unsigned_varint() {
  uint64_t value = varint_bits(5);
  if (value > std::numeric_limits<uint32_t>::max()) {
    fail(farshore::ErrorCode::kCorrupt, "varint too large");
    return 0;
  }
  return static_cast<uint32_t>(value);
}

int32_t Reader::varint() {
  uint32_t bits = unsigned_varint();
  return static_cast<int32_t>((bits >> 1) ^ (0U - (bits & 1)));
}

int64_t Reader::varlong() {
  uint64_t bits = varint_bits(10);
  return static_cast<int64_t>((bits >> 1) ^ (0ULL - (bits & 1)));
}

int64_t Reader::length(bool flexible, bool wide) {
  int64_t size = flexible ? static_cast<int64_t>(unsigned_varint()) - 1 : wide ? i32() : i16();
  if (!ok()) return 0;
  if (size < -1) {
    fail(farshore::ErrorCode::kCorrupt, "negative length");
    return 0;
  }
  return size;
}

ConstBytes Reader::raw(size_t size) {
  if (remaining() < size) {
    fail_short();
    return {};
  }
  ConstBytes view(at_, size);
  at_ += size;
  return view;
}

std::optional<std::string> Reader::nullable_string(bool flexible) {
  int64_t size = length(flexible, false);
  if (size < 0) return std::nullopt;
  if (size > static_cast<int64_t>(kStringBytesMax)) {
    fail(farshore::ErrorCode::kResourceExhausted, "string too long");
    return std::string();
  }
  ConstBytes view = raw(static_cast<size_t>(size));
  if (!charge(view.size())) return std::string();
  return std::string(as_text(view));
}

std::string Reader::string(bool flexible) {
  auto value = nullable_string(flexible);
  if (value) return std::move(*value);
  fail(farshore::ErrorCode::kCorrupt, "null string where none is allowed");
  return {};
}

std::optional<Bytes> Reader::nullable_bytes(bool flexible) {
  int64_t size = length(flexible, true);
  if (size < 0) return std::nullopt;
  ConstBytes view = raw(static_cast<size_t>(size));
  if (!charge(view.size())) return Bytes();
  return Bytes(view.begin(), view.end());
}

Bytes Reader::bytes(bool flexible) {
  auto value = nullable_bytes(flexible);
  if (value) return std::move(*value);
  fail(farshore::ErrorCode::kCorrupt, "null bytes where none are allowed");
  return {};
}

Records Reader::records(bool flexible) {
  int64_t size = length(flexible, true);
  if (size < 0) return {};
  return Records::view(raw(static_cast<size_t>(size)));
}

int32_t Reader::array(bool flexible, size_t wire_bytes_min, size_t element_bytes) {
  int64_t count = length(flexible, true);
  if (count <= 0) return static_cast<int32_t>(count);
  auto n = static_cast<uint64_t>(count);  // < 2^32, and so are the factors: no overflow
  if (n * wire_bytes_min > remaining()) {
    fail(farshore::ErrorCode::kCorrupt, "array of " + std::to_string(n) + " elements in too few bytes");
    return 0;
  }
  if (n > elements_left_) {
    fail(farshore::ErrorCode::kResourceExhausted, "more elements of arrays than are allowed in one message");
    return 0;
  }
  elements_left_ -= n;
  return charge(n * element_bytes) ? static_cast<int32_t>(count) : 0;
}

int32_t Reader::required_array(bool flexible, size_t wire_bytes_min, size_t element_bytes) {
  int32_t count = array(flexible, wire_bytes_min, element_bytes);
  if (count >= 0) return count;
  fail(farshore::ErrorCode::kCorrupt, "null array where none is allowed");
  return 0;
}

uint32_t Reader::tag_count() {
  uint32_t count = unsigned_varint();
  if (count <= kTaggedFieldsMax) return count;
  fail(farshore::ErrorCode::kResourceExhausted, "more than 64 tagged fields");
  return 0;
}

Reader::Tag Reader::begin_tag(int64_t previous) {
  Tag tag;
  tag.outer_end = end_;
  tag.number = unsigned_varint();
  uint32_t size = unsigned_varint();
  if (ok() && static_cast<int64_t>(tag.number) <= previous)
    fail(farshore::ErrorCode::kCorrupt, "tagged fields out of order");
  if (ok() && size > remaining()) fail_short();
  if (ok()) end_ = at_ + size;
  return tag;
}

void Reader::end_tag(const Tag& tag) {
  if (ok() && at_ != end_) fail(farshore::ErrorCode::kCorrupt, "tagged field longer than its content");
  end_ = tag.outer_end;
  if (!ok()) at_ = end_;
}

void Reader::skip_tagged_fields() {
  int64_t previous = -1;
  for (uint32_t n = tag_count(); n > 0 && ok(); --n) {
    Tag tag = begin_tag(previous);
    previous = tag.number;
    skip_tag();
    end_tag(tag);
  }
}

}  // namespace farshore::kafka
