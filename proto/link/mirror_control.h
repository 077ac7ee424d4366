// MirrorControl (private API 10001): its operations, what it says about a topic, and what its error codes mean. The
// fields of the messages are in proto/kafka/schema/mirror_control.schema; FORMAT.md says which operation uses which.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace farshore {

// Field `op` of a request.
enum class MirrorOperation : int8_t {
  kOpen = 0,             // a new pump session for each partition; older sessions become invalid
  kTruncate = 1,         // removes records above the point where both ends have the same history
  kAdvanceLogStart = 2,  // the source deleted records that were not mirrored: the mirror goes on behind them
  kPromote = 3,          // ends the mirror if every partition has reached the given end
  kFailover = 4,         // ends the mirror at once
  kDigest = 5,           // digests of offset ranges, for comparing both ends
  kSetReadOnly = 6,      // clients may not write the topic, or may again
  kDescribe = 7,         // the state of any topic, mirror or not
  kCreateTopic = 8       // makes the mirror topic, or adds partitions to it
};
inline constexpr std::array kMirrorOperations{
    MirrorOperation::kOpen,        MirrorOperation::kTruncate, MirrorOperation::kAdvanceLogStart,
    MirrorOperation::kPromote,     MirrorOperation::kFailover, MirrorOperation::kDigest,
    MirrorOperation::kSetReadOnly, MirrorOperation::kDescribe, MirrorOperation::kCreateTopic};

constexpr int8_t wire_value(MirrorOperation operation) { return static_cast<int8_t>(operation); }
std::optional<MirrorOperation> parse_mirror_operation(int8_t wire);  // nullopt: a later version's, or none
std::string_view name(MirrorOperation operation);                    // as in the schema: "open", "advance_log_start"

// Field `mirror_state` of a response. Coarser than MirrorState: what a client of the target must know.
enum class MirrorRole : int8_t {
  kNotMirror = -1,
  kMirror = 0,
  kPromoted = 1,   // a mirror that ended by promote
  kFailedOver = 2  // a mirror that ended by failover
};
constexpr int8_t wire_value(MirrorRole role) { return static_cast<int8_t>(role); }
// A value that this version does not know is read as kNotMirror.
MirrorRole mirror_role(int8_t wire);
constexpr bool ended(MirrorRole role) { return role == MirrorRole::kPromoted || role == MirrorRole::kFailedOver; }

// The error for the gateway, from a code of MirrorControl or MirrorAppend; the detail begins with Kafka's name of the
// code. `code` must not be 0.
//   kFenced            a newer gateway has the link
//   kConflict          the pump session is not the open one, or the log does not end where the request says
//   kPermissionDenied  the topic is not a mirror of this link, or the caller may not
//   kNotFound          no such topic, or it is another one than the request means
//   kAlreadyExists     the topic exists and is no mirror
//   kIo                the partition is offline, or its disk failed or is full: the broker's message says which
//   kInvalidArgument, kCorrupt; kUnavailable for all other codes
Error mirror_error(int16_t code, const std::optional<std::string>& message);

}  // namespace farshore
