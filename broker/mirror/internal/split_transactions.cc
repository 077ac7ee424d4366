#include "broker/mirror/internal/split_transactions.h"

#include <algorithm>

#include "proto/batch/records.h"

namespace farshore::broker {
namespace {

constexpr size_t kReadBytes = 1 << 20;
// Of one partition, when its producer state came from a snapshot: how far behind the open transaction's beginning a
// marker is looked for. A failover is not held up by more.
constexpr uint64_t kScanBytesMax = 64 << 20;

struct Open {
  EndedTransaction& transaction;
  int32_t partition = 0;
  int64_t first_ms = 0;  // of its first batch
};

// The first batch's time; the transaction cannot have been committed before.
Task<Result<int64_t>> first_time(Log& log, Offset first) {
  CO_TRY(auto run, co_await log.read_run(first, ReadBound::kLogEnd, 1));
  if (run.empty()) co_return Error(ErrorCode::kNotFound, "its first batch is not there");
  co_return run.batches.front().base_timestamp;
}

// Looks for the marker in the log itself.
Task<Result<std::optional<CommittedTxn>>> scan(Log& log, int64_t producer_id, int16_t epoch, int64_t from_ms) {
  std::optional<CommittedTxn> found;
  CO_TRY(auto start, co_await log.offset_for_time(from_ms));
  if (!start) co_return found;
  Offset from = std::max(start->offset, log.ends().log_start);
  int16_t data_epoch = epoch;  // until a batch of this producer says otherwise
  for (uint64_t read = 0; read < kScanBytesMax && from < log.ends().end;) {
    CO_TRY(auto run, co_await log.read_run(from, ReadBound::kLogEnd, kReadBytes));
    if (run.empty()) break;
    size_t at = 0;
    for (const auto& header : run.batches) {
      const size_t begin = at;
      at += header.size_bytes();
      if (header.producer_id != producer_id) continue;
      if (!header.control()) {
        data_epoch = header.producer_epoch;
        continue;
      }
      auto marker = read_marker(header, run.bytes, begin);
      if (marker && marker->type == ControlType::kCommit && data_epoch == epoch && header.max_timestamp >= from_ms)
        found = CommittedTxn{data_epoch, header.last(), header.max_timestamp};
      data_epoch = header.producer_epoch;
    }
    read += run.bytes.size();
    from = run.next();
  }
  co_return found;
}

Task<void> look_in(PartitionPtr partition, std::vector<Open>& open, bool same_topic) {
  std::map<int64_t, ProducerSummary> known;
  for (auto& producer : partition->log().producers()) known.emplace(producer.producer_id, producer);
  for (Open& o : open) {
    if (same_topic && o.partition == partition->partition()) continue;
    EndedTransaction& t = o.transaction;
    auto found = known.find(t.producer_id);
    if (found == known.end()) continue;
    std::optional<CommittedTxn> commit = found->second.last_commit;
    if (!commit && !found->second.commits_known) {
      auto scanned = co_await scan(partition->log(), t.producer_id, t.producer_epoch, o.first_ms);
      if (scanned) commit = *scanned;
    }
    if (commit && commit->producer_epoch == t.producer_epoch && commit->timestamp_ms >= o.first_ms)
      t.committed.push_back({partition->topic(), partition->partition(), commit->marker});
  }
}

}  // namespace

Task<void> find_torn(Env& env, const MetadataManager& metadata, const PartitionTable& partitions, TopicPtr topic,
                     PromotionRecord& record, Deadline deadline) {
  std::vector<Open> open;
  for (auto& end : record.partitions) {
    auto partition = partitions.find(topic->id, end.partition);
    if (!partition) continue;
    for (auto& transaction : end.aborted) {
      auto first = co_await first_time((*partition)->log(), transaction.first);
      if (first)
        open.push_back({transaction, end.partition, *first});
      else
        env.log().warn("cannot tell whether a transaction is torn", {{"topic", topic->name},
                                                                     {"partition", end.partition},
                                                                     {"producer_id", transaction.producer_id},
                                                                     {"error", first.error()}});
    }
  }
  if (open.empty()) co_return;
  const ImagePtr image = metadata.image();  // after the reading above: a topic may have been made meanwhile
  for (const auto& entry : image->topics) {
    TopicPtr other = entry.second;
    if (!other->mirror || other->mirror->link != topic->mirror->link) continue;
    for (const auto& placed : other->partitions) {
      if (deadline.passed(env.now())) co_return;
      auto partition = partitions.find(other->id, placed.partition);
      if (partition) co_await look_in(*partition, open, other->id == topic->id);
    }
  }
  for (const Open& o : open)
    for (const auto& c : o.transaction.committed)
      env.log().warn("torn transaction: open here, committed at the source",
                     {{"topic", topic->name},
                      {"partition", o.partition},
                      {"producer_id", o.transaction.producer_id},
                      {"committed_topic", c.topic},
                      {"committed_partition", c.partition}});
}

}  // namespace farshore::broker
