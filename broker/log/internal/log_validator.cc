#include "broker/log/internal/log_validator.h"

#include <string>

#include "base/turn_budget.h"

#include "proto/batch/records.h"

namespace farshore {

AppendInfo refuse_append(AppendOutcome outcome, const BatchHeader& header, std::string_view why) {
  AppendInfo info;
  info.outcome = outcome;
  info.refusal = "batch of " + std::to_string(header.record_count) + " records: " + std::string(why);
  return info;
}

namespace {

// The rules that a header alone can break.
std::optional<AppendInfo> refuse_client_batch(const BatchHeader& header, const LogOptions& options, int64_t now_ms) {
  if (header.size_bytes() > options.max_message_bytes)
    return refuse_append(AppendOutcome::kMessageTooLarge, header,
                         std::to_string(header.size_bytes()) + " bytes; max.message.bytes is " +
                             std::to_string(options.max_message_bytes));
  if (header.control())
    return refuse_append(AppendOutcome::kInvalidRecord, header, "control batches are written by the broker only");
  if (header.record_count == 0 || !header.contiguous())
    return refuse_append(AppendOutcome::kInvalidRecord, header, "its count is not last_offset_delta + 1");
  if (header.has_producer() && (header.base_sequence < 0 || header.producer_epoch < 0))
    return refuse_append(AppendOutcome::kInvalidRecord, header, "a producer id without epoch or sequence");
  if (header.transactional() && !header.has_producer())
    return refuse_append(AppendOutcome::kInvalidRecord, header, "transactional without a producer id");
  if (header.has_delete_horizon())
    return refuse_append(AppendOutcome::kInvalidRecord, header, "clients set no delete horizon");
  if (header.log_append_time())
    return refuse_append(AppendOutcome::kInvalidTimestamp, header, "LogAppendTime is the broker's to set");
  if (options.log_append_time) return std::nullopt;
  if (header.max_timestamp >= 0 && header.max_timestamp > now_ms &&
      header.max_timestamp - now_ms > options.timestamp_after_max_ms)
    return refuse_append(AppendOutcome::kInvalidTimestamp, header,
                         "a timestamp further ahead than message.timestamp.after.max.ms");
  if (header.base_timestamp >= 0 && header.base_timestamp < now_ms &&
      now_ms - header.base_timestamp > options.timestamp_before_max_ms)
    return refuse_append(AppendOutcome::kInvalidTimestamp, header,
                         "a timestamp older than message.timestamp.before.max.ms");
  return std::nullopt;
}

// Compaction needs a key in every record. This is the only case in which a client's records are read.
Task<Result<std::optional<AppendInfo>>> refuse_keyless(Reactor& reactor, const BatchRun& run) {
  TurnBudget turn(reactor);
  size_t begin = 0;
  for (const auto& header : run.batches) {
    auto unreadable = [&header](const Error& error) {  // its CRC is right: the client sent it so
      return std::optional(refuse_append(AppendOutcome::kInvalidRecord, header, error.detail));
    };
    auto reader = RecordReader::open(header, run.bytes, begin);
    if (!reader) co_return unreadable(reader.error());
    Record record;
    for (;;) {
      auto more = reader->next(record);
      if (!more) co_return unreadable(more.error());
      if (!*more) break;
      if (!record.key)
        co_return std::optional(
            refuse_append(AppendOutcome::kInvalidRecord, header, "a compacted topic needs a key in each"));
      if (turn.spend(record.size_bytes)) co_await turn.next_turn();
    }
    begin += header.size_bytes();
  }
  co_return std::optional<AppendInfo>();
}

}  // namespace

Task<Result<std::optional<AppendInfo>>> validate_client_run(Reactor& reactor, const BatchRun& run,
                                                            const LogOptions& options, int64_t now_ms) {
  for (const auto& header : run.batches) {
    if (auto refusal = refuse_client_batch(header, options, now_ms)) co_return refusal;
  }
  if (!compacts(options.cleanup_policy)) co_return std::optional<AppendInfo>();
  co_return co_await refuse_keyless(reactor, run);
}

}  // namespace farshore
