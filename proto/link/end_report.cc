#include "proto/link/end_report.h"

#include "proto/link/internal/stored_json.h"

namespace farshore {
namespace {

constexpr int kEndReportVersion = 1;
constexpr std::string_view kEndReportName = "a report of a mirror's end";

}  // namespace

EndReport report_of(const PromotionRecord& record) {
  EndReport report;
  report.wall_ms = record.wall_ms;
  for (const auto& end : record.partitions) {
    auto& row = report.partitions.emplace_back();
    row.partition = end.partition;
    row.source_high_watermark = end.source_high_watermark;
    row.lost_at_least_records = end.lost_at_least_records;
    row.lost_at_least_ms = end.lost_at_least_ms;
    row.blind_window_ms = end.blind_window_ms;
    row.stranded_records = end.stranded_records;
  }
  return report;
}

void apply(const EndReport& report, PromotionRecord& record) {
  if (report.wall_ms != record.wall_ms) return;
  for (const auto& row : report.partitions) {
    for (auto& end : record.partitions) {
      if (end.partition != row.partition) continue;
      end.source_high_watermark = row.source_high_watermark;
      end.lost_at_least_records = row.lost_at_least_records;
      end.lost_at_least_ms = row.lost_at_least_ms;
      end.blind_window_ms = row.blind_window_ms;
      end.stranded_records = row.stranded_records;
    }
  }
}

std::string encode(const EndReport& report) {
  Json rows = Json::array();
  for (const auto& row : report.partitions)
    rows.push_back(Json::array({row.partition, row.source_high_watermark.value(), row.lost_at_least_records,
                                row.lost_at_least_ms, row.blind_window_ms, row.stranded_records}));
  return dump_stored(Json{{"v", kEndReportVersion}, {"wall_ms", report.wall_ms}, {"partitions", std::move(rows)}});
}

Result<EndReport> decode_end_report(std::string_view text) {
  Json json;
  FARSHORE_CHECK(parse_stored(kEndReportName, text, kEndReportVersion, json));
  return read_json<EndReport>(kEndReportName, json, [](const Json& from, EndReport& report) {
    report.wall_ms = from.at("wall_ms").get<int64_t>();
    for (const auto& row : from.at("partitions")) {
      auto& out = report.partitions.emplace_back();
      out.partition = row.at(0).get<int32_t>();
      out.source_high_watermark = SourceOffset(row.at(1).get<int64_t>());
      out.lost_at_least_records = row.at(2).get<int64_t>();
      out.lost_at_least_ms = row.at(3).get<int64_t>();
      out.blind_window_ms = row.at(4).get<int64_t>();
      out.stranded_records = row.at(5).get<int64_t>();
    }
  });
}

}  // namespace farshore
