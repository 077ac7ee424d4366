// Names and sizes of the files of a log, shared by writers and readers. FORMAT.md has the layout.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace farshore::log_format {

inline constexpr std::string_view kLog = ".log";
inline constexpr std::string_view kOffsetIndex = ".index";
inline constexpr std::string_view kTimeIndex = ".timeindex";
inline constexpr std::string_view kTxnIndex = ".txnindex";
inline constexpr std::string_view kSnapshot = ".snapshot";
inline constexpr std::string_view kCleaned = ".cleaned";  // appended to the name while the cleaner writes
inline constexpr std::string_view kTemporary = ".tmp";    // appended by base's replace_file
inline constexpr std::string_view kEpochs = "leader-epoch-checkpoint";
inline constexpr std::string_view kCheckpoint = "partition.checkpoint";
inline constexpr std::string_view kIntent = "partition.intent";
inline constexpr std::string_view kJumps = "partition.jumps";
inline constexpr std::string_view kQuarantine = "partition.quarantine";

inline constexpr size_t kNameDigits = 20;

// Offset index: {int32 offset - base, int32 position}.
inline constexpr size_t kOffsetEntryBytes = 8;
// Time index: {int64 timestamp, int32 offset - base}.
inline constexpr size_t kTimeEntryBytes = 12;
// Transaction index: {int16 version, int64 producer_id, int64 first, int64 last, int64 last_stable}.
inline constexpr size_t kTxnEntryBytes = 34;
inline constexpr int16_t kTxnIndexVersion = 0;
// Producer snapshot: {int16 version, uint32 crc, int32 count} and entries; the CRC covers from count on.
inline constexpr int16_t kSnapshotVersion = 1;
inline constexpr size_t kSnapshotHeaderBytes = 10;
inline constexpr size_t kSnapshotCrcAt = 2;
inline constexpr size_t kSnapshotCrcFrom = 6;
inline constexpr size_t kSnapshotEntryBytes = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;
// Epoch checkpoint: text; version, count, then "epoch start_offset" lines.
inline constexpr int kEpochsVersion = 0;
// Partition checkpoint: two slots, written in turn.
inline constexpr uint32_t kCheckpointMagic = 0x46534c43;                        // FSLC
inline constexpr int16_t kCheckpointVersion = 2, kCheckpointVersionBefore = 1;  // both are read
inline constexpr size_t kCheckpointSlotBytes = 4096;  // a slot is never torn together with the other one
inline constexpr size_t kCheckpointSlots = 2;

// Gap notes (partition.jumps): {int64 expected, int64 first, int32 epoch, uint32 crc of these}.
inline constexpr size_t kJumpBytes = 24;

inline constexpr int64_t kSegmentBytesMax = INT32_MAX;    // positions are int32
inline constexpr int64_t kSegmentOffsetsMax = INT32_MAX;  // so are offsets relative to the base

// 00000000000000000042.log
inline std::string file_name(Offset base, std::string_view suffix) {
  std::string digits = std::to_string(base.value());
  return std::string(kNameDigits - digits.size(), '0').append(digits).append(suffix);
}

struct FileName {
  Offset base;
  std::string_view suffix;  // of the text that was parsed
};
// nullopt: not 20 digits and a suffix.
inline std::optional<FileName> parse_file_name(std::string_view name) {
  if (name.size() <= kNameDigits || name[kNameDigits] != '.') return std::nullopt;
  int64_t base = 0;
  for (char c : name.substr(0, kNameDigits)) {
    if (c < '0' || c > '9' || base > (INT64_MAX - 9) / 10) return std::nullopt;
    base = base * 10 + (c - '0');
  }
  return FileName{Offset(base), name.substr(kNameDigits)};
}

}  // namespace farshore::log_format
