#include "broker/handlers/internal/bad_records.h"

#include <optional>

#include "proto/batch/records.h"

namespace farshore::broker {
namespace {

std::optional<std::string> fault_of(const Record& record, kafka::ErrorCode code, const LogOptions& options,
                                    int64_t now_ms) {
  if (code == kafka::ErrorCode::kInvalidRecord) {
    if (!compacts(options.cleanup_policy) || record.key) return std::nullopt;
    return "a compacted topic needs a key in each record";
  }
  if (code != kafka::ErrorCode::kInvalidTimestamp || record.timestamp_ms < 0) return std::nullopt;
  const int64_t ahead_ms = record.timestamp_ms - now_ms;
  if (ahead_ms > options.timestamp_after_max_ms)
    return "timestamp " + std::to_string(record.timestamp_ms) + " is further ahead than message.timestamp.after.max.ms";
  if (ahead_ms < 0 && -ahead_ms > options.timestamp_before_max_ms)
    return "timestamp " + std::to_string(record.timestamp_ms) + " is older than message.timestamp.before.max.ms";
  return std::nullopt;
}

}  // namespace

std::vector<BadRecord> bad_records(const BatchRun& run, kafka::ErrorCode code, const LogOptions& options,
                                   int64_t now_ms) {
  std::vector<BadRecord> bad;
  if (run.batches.size() != 1) return bad;
  auto reader = RecordReader::open(run.batches.front(), run.bytes, 0);
  if (!reader) return bad;
  Record record;
  for (int32_t index = 0;; ++index) {
    auto more = reader->next(record);
    if (!more) return {};
    if (!*more) return bad;
    if (auto fault = fault_of(record, code, options, now_ms)) bad.push_back({index, std::move(*fault)});
  }
}

}  // namespace farshore::broker
