// LossReport: the ranges of records of one mirror topic that were lost, as far as its link knows. Stored under
// link/<name>/loss/<topic> (keys.h), so that a restart and another gateway show the same.
//
// A loss that the link causes at the target (it cuts the mirror, or goes on behind a gap) is stored in two steps:
// begin() before the target is asked, then finish() with what the target did, before anything more is appended. Whoever
// finds a loss that was only begun compares it with the end of the partition: finish_at().
//
// The report has a bounded size: if there are more than kRowsMax rows, the oldest ones are merged; their numbers stay.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace farshore {

enum class LossKind : uint8_t {
  kNotMirrored,  // the source deleted them before they were mirrored
  kCut,          // the source lost them after they were mirrored, and the mirror was cut
  kKept          // the source lost them after they were mirrored, and the mirror keeps them (on.divergence=stop)
};
std::string_view name(LossKind kind);  // not-mirrored, cut, kept
std::optional<LossKind> parse_loss_kind(std::string_view text);

struct LossReport {
  static constexpr size_t kRowsMax = 64;

  // One range, or several that were merged: then [from, to) contains all of them, and more.
  struct Row {
    LossKind kind = LossKind::kNotMirrored;
    int32_t partition = 0;              // -1: merged rows of several partitions; then `from` and `to` are -1
    SourceOffset from, to;              // not included
    int64_t ranges = 1, offsets = 0;    // merged here, and how many offsets they have
    int64_t first_ms = 0, last_ms = 0;  // Unix times at which a gateway found out
    friend bool operator==(const Row&, const Row&) = default;
  };
  struct Begun {
    LossKind kind = LossKind::kNotMirrored;
    SourceOffset from, to;
    friend bool operator==(const Begun&, const Begun&) = default;
  };
  struct Total {
    int64_t ranges = 0, offsets = 0;
    friend bool operator==(const Total&, const Total&) = default;
  };

  LinkId link;  // of another link with the same name, or of another topic: the report says nothing about this mirror
  TargetTopicId topic;
  std::vector<Row> rows;             // oldest first
  std::map<LossKind, Total> totals;  // of all rows, merged ones included
  std::map<int32_t, Begun> begun;    // by partition: one change of a partition is under way at a time
  friend bool operator==(const LossReport&, const LossReport&) = default;

  // Nothing happens if the range is empty. A range of records that are not at the target, or are kept there, is found
  // again after each restart: it is counted once.
  void add(LossKind kind, int32_t partition, SourceOffset from, SourceOffset to, int64_t wall_ms);
  // The partition ends at `end` now: what was begun has happened or not. Returns whether something was begun.
  bool finish_at(int32_t partition, SourceOffset end, int64_t wall_ms);

 private:
  bool extend(LossKind kind, int32_t partition, SourceOffset from, SourceOffset to, int64_t wall_ms);
  void merge_oldest();
};

std::string encode(const LossReport& report);
Result<LossReport> decode_loss_report(std::string_view json);  // kCorrupt, kUnsupported

}  // namespace farshore
