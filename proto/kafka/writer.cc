#include "proto/kafka/writer.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace farshore::kafka {

void Writer::fail(farshore::ErrorCode code, std::string text) {
  if (ok()) error_ = Error(code, std::move(text));
}

void Writer::fail_absent(std::string_view field, int16_t version) {
  fail(farshore::ErrorCode::kUnsupported, std::string(field) + " cannot be sent in version " + std::to_string(version));
}

void Writer::f64(double value) { number(std::bit_cast<int64_t>(value)); }

void Writer::uuid(const Uuid& value) { raw(std::as_bytes(std::span(value.bytes))); }

void Writer::unsigned_varint(uint32_t value) {
  for (; value >= 0x80; value >>= 7) owned_.push_back(static_cast<std::byte>(value | 0x80));
  owned_.push_back(static_cast<std::byte>(value));
}

void Writer::varint(int32_t value) {
  unsigned_varint((static_cast<uint32_t>(value) << 1) ^ static_cast<uint32_t>(value >> 31));
}

void Writer::varlong(int64_t value) {
  uint64_t bits = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  for (; bits >= 0x80; bits >>= 7) owned_.push_back(static_cast<std::byte>(bits | 0x80));
  owned_.push_back(static_cast<std::byte>(bits));
}

void Writer::length(bool flexible, bool wide, int64_t value) {
  if (value >= std::numeric_limits<int32_t>::max()) {
    fail(farshore::ErrorCode::kInvalidArgument, "longer than the protocol can say: " + std::to_string(value));
    value = 0;
  }
  if (flexible) {
    unsigned_varint(static_cast<uint32_t>(value + 1));
  } else if (wide) {
    i32(static_cast<int32_t>(value));
  } else {
    i16(static_cast<int16_t>(value));
  }
}

void Writer::string(bool flexible, std::string_view value) {
  if (value.size() > kStringBytesMax) {
    return fail(farshore::ErrorCode::kInvalidArgument,
                "string of " + std::to_string(value.size()) + " bytes; at most 32767");
  }
  length(flexible, false, static_cast<int64_t>(value.size()));
  raw(as_bytes(value));
}

void Writer::bytes(bool flexible, ConstBytes value) {
  length(flexible, true, static_cast<int64_t>(value.size()));
  raw(value);
}

void Writer::nullable_string(bool flexible, const std::optional<std::string>& value, bool nullable,
                             std::string_view field) {
  if (value) return string(flexible, *value);
  if (!nullable) fail(farshore::ErrorCode::kInvalidArgument, std::string(field) + " must not be null in this version");
  length(flexible, false, -1);
}

void Writer::nullable_bytes(bool flexible, const std::optional<Bytes>& value, bool nullable, std::string_view field) {
  if (value) return bytes(flexible, *value);
  if (!nullable) fail(farshore::ErrorCode::kInvalidArgument, std::string(field) + " must not be null in this version");
  length(flexible, true, -1);
}

void Writer::records(bool flexible, const Records& value, bool nullable, std::string_view field) {
  if (value.is_null()) {
    if (!nullable)
      fail(farshore::ErrorCode::kInvalidArgument, std::string(field) + " must not be null in this version");
    return length(flexible, true, -1);
  }
  ensure(tag_starts_.empty(), "records are never inside a tagged field");
  length(flexible, true, static_cast<int64_t>(value.size()));
  for (const Records::Piece& piece : value.pieces()) {
    if (auto* view = std::get_if<ConstBytes>(&piece)) {
      raw(*view);
      continue;
    }
    flush();
    if (auto* slices = std::get_if<SliceList>(&piece)) {
      borrowed_ += slices->size();
      pieces_.emplace_back(*slices);
    } else {
      const auto& range = std::get<FileRange>(piece);
      borrowed_ += range.length;
      pieces_.emplace_back(range);
    }
  }
}

void Writer::array(bool flexible, size_t count) { length(flexible, true, static_cast<int64_t>(count)); }

void Writer::null_array(bool flexible, bool nullable, std::string_view field) {
  if (!nullable) fail(farshore::ErrorCode::kInvalidArgument, std::string(field) + " must not be null in this version");
  length(flexible, true, -1);
}

void Writer::begin_tag(uint32_t number) {
  unsigned_varint(number);
  tag_starts_.push_back(owned_.size());
}

void Writer::end_tag() {
  size_t start = tag_starts_.back();
  tag_starts_.pop_back();
  // The size stands before the content, and its own length depends on it. So it is written behind the content and then
  // moved to the front.
  size_t content_end = owned_.size();
  unsigned_varint(static_cast<uint32_t>(content_end - start));
  std::rotate(owned_.begin() + static_cast<ptrdiff_t>(start), owned_.begin() + static_cast<ptrdiff_t>(content_end),
              owned_.end());
}

void Writer::patch_i32(size_t offset, int32_t value) {
  ensure(offset + sizeof value <= owned_.size(), "patched bytes exist");
  store_be(owned_.data() + offset, value);
}

void Writer::flush() {
  if (owned_.size() == flushed_) return;
  pieces_.emplace_back(WireMessage::OwnedRange{flushed_, owned_.size() - flushed_});
  flushed_ = owned_.size();
}

Result<WireMessage> Writer::finish() {
  ensure(tag_starts_.empty(), "every tag is ended");
  if (!ok()) return error_;
  flush();
  WireMessage message;
  message.size_ = size();
  message.owned_ = std::move(owned_);
  message.pieces_ = std::move(pieces_);
  owned_.clear();
  pieces_.clear();
  flushed_ = 0;
  borrowed_ = 0;
  return message;
}

}  // namespace farshore::kafka
