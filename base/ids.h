// Strong types for the numbers that must not be mixed up. An offset of the source and an offset of the target are
// different types, so that the compiler finds every place where a translation was forgotten.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace farshore {

template <class Tag, class Rep>
class StrongId {
 public:
  using rep = Rep;
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;
  constexpr StrongId operator+(Rep n) const { return StrongId(value_ + n); }
  constexpr StrongId operator-(Rep n) const { return StrongId(value_ - n); }
  constexpr Rep operator-(StrongId other) const { return value_ - other.value_; }
  constexpr StrongId& operator++() {
    ++value_;
    return *this;
  }
  constexpr StrongId& operator+=(Rep n) {
    value_ += n;
    return *this;
  }

 private:
  Rep value_{};
};

// A record's position in one partition log, where no link is involved.
using Offset = StrongId<struct OffsetTag, int64_t>;
using SourceOffset = StrongId<struct SourceOffsetTag, int64_t>;
using TargetOffset = StrongId<struct TargetOffsetTag, int64_t>;
using PartitionId = StrongId<struct PartitionIdTag, int32_t>;
using BrokerId = StrongId<struct BrokerIdTag, int32_t>;
// The epoch written in batches: the lineage of the data (the source's, on a mirror). -1: none.
using LogEpoch = StrongId<struct LogEpochTag, int32_t>;
// The epoch of this partition's leadership at this cluster: fencing, metadata. Never lower than any LogEpoch in the
// log.
using LeadershipEpoch = StrongId<struct LeadershipEpochTag, int32_t>;
// Who may write a mirror: raised by compare-and-set when a gateway takes a link over.
using LinkEpoch = StrongId<struct LinkEpochTag, int64_t>;
// One run of a pump without a reset; handed out by the target.
using PumpSession = StrongId<struct PumpSessionTag, int64_t>;

// 128 bits; printed as Kafka prints a Uuid (22 characters of URL-safe base64). All zero: none.
struct Uuid {
  std::array<uint8_t, 16> bytes{};
  friend auto operator<=>(const Uuid&, const Uuid&) = default;
  bool is_zero() const { return *this == Uuid{}; }
  std::string to_string() const;
  static Result<Uuid> parse(std::string_view text);  // kInvalidArgument unless 22 characters of URL-safe base64
};

// A Uuid that names one kind of thing. There is no implicit conversion in either direction, so that the compiler
// refuses a link's id where a topic's belongs. value() is for wires and files.
template <class Tag>
class StrongUuid {
 public:
  constexpr StrongUuid() = default;
  constexpr explicit StrongUuid(const Uuid& value) : value_(value) {}
  constexpr const Uuid& value() const { return value_; }
  bool is_zero() const { return value_.is_zero(); }
  std::string to_string() const { return value_.to_string(); }
  friend auto operator<=>(const StrongUuid&, const StrongUuid&) = default;

 private:
  Uuid value_;
};

using LinkId = StrongUuid<struct LinkIdTag>;
// A topic of one cluster, where no link is involved.
using TopicId = Uuid;
using SourceTopicId = StrongUuid<struct SourceTopicIdTag>;
using TargetTopicId = StrongUuid<struct TargetTopicIdTag>;

// The id of a Kafka cluster, as the cluster gives it: any text, usually 22 characters. Empty: not known. As with
// StrongUuid, no text becomes one unless somebody says so.
class ClusterId {
 public:
  ClusterId() = default;
  explicit ClusterId(std::string value) : value_(std::move(value)) {}
  const std::string& value() const { return value_; }
  bool empty() const { return value_.empty(); }
  friend auto operator<=>(const ClusterId&, const ClusterId&) = default;

 private:
  std::string value_;
};

struct TopicPartition {
  std::string topic;
  int32_t partition = 0;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

}  // namespace farshore

template <class Tag, class Rep>
struct std::hash<farshore::StrongId<Tag, Rep>> {
  size_t operator()(farshore::StrongId<Tag, Rep> id) const noexcept { return std::hash<Rep>()(id.value()); }
};
