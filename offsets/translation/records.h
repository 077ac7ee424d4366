// Codec of the records of __farshore_offsets, a compacted topic. FORMAT.md has the fields.
// A record stands alone: a later record of the same key replaces it, and no record depends on another one that
// compaction may have removed. So a claim is lowered by writing the same runs again, shorter (length 0: the run claims
// nothing any more), never by a record about other records. A tombstone only removes records below the source's log
// start, or of a deleted link.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "offsets/translation/types.h"

namespace farshore {

struct RunRecord {
  LinkPartition key;
  TranslationRun run;   // source and source_epoch name it; its length may be 0 here
  bool erased = false;  // a tombstone: the run's other fields mean nothing
  friend bool operator==(const RunRecord&, const RunRecord&) = default;
};

// target_from of a void anchor: the records that it stood for were lost at the target.
inline constexpr TargetOffset kVoidAnchor{std::numeric_limits<int64_t>::max()};

struct AnchorRecord {
  LinkPartition key;
  RelayAnchor anchor;   // producer and sequence name it
  bool erased = false;  // a tombstone: the anchor's other fields mean nothing
  friend bool operator==(const AnchorRecord&, const AnchorRecord&) = default;
};

using TranslationRecord = std::variant<RunRecord, AnchorRecord>;

struct EncodedTranslation {
  std::string key;
  std::optional<std::string> value;  // none: a tombstone
};

// kInvalidArgument: negative numbers where there are none, or a range beyond int64.
Result<EncodedTranslation> encode_translation(const TranslationRecord& record);
// kCorrupt: no record of this topic. kUnsupported: a type or version of a later Farshore. It must not be skipped,
// because the map would then be incomplete or wrong. Use that version of Farshore, or a later one.
Result<TranslationRecord> decode_translation(std::string_view key, std::optional<std::string_view> value);

}  // namespace farshore
