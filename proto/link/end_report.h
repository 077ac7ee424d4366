// EndReport: what the gateway that ended a mirror knew of the source beyond the target's promotion record: the source's
// last high watermark, what is lost, for how long nothing was heard, what a promote left behind. Stored under
// link/<name>/report/<topic> (keys.h), so that any later gateway gives the same report.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/link/promotion_record.h"

namespace farshore {

struct EndReport {
  struct Partition {
    int32_t partition = 0;
    SourceOffset source_high_watermark;
    int64_t lost_at_least_records = 0, lost_at_least_ms = 0;
    int64_t blind_window_ms = 0;  // -1: never heard of
    int64_t stranded_records = 0;
    friend bool operator==(const Partition&, const Partition&) = default;
  };
  int64_t wall_ms = 0;  // of the record that it belongs to
  std::vector<Partition> partitions;
  friend bool operator==(const EndReport&, const EndReport&) = default;
};

EndReport report_of(const PromotionRecord& record);
// Puts the report's figures into the record. Nothing happens if the report belongs to another end of the topic.
void apply(const EndReport& report, PromotionRecord& record);

std::string encode(const EndReport& report);
Result<EndReport> decode_end_report(std::string_view json);  // kCorrupt, kUnsupported

}  // namespace farshore
