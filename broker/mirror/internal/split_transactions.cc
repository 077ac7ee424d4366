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
  int64_t first_ms = 0;    // of its first batch
  bool forgotten = false;  // some log of its producer does not remember that producer's commits
};

// The first batch's time; the transaction cannot have been committed before.
Task<Result<int64_t>> first_time(Log& log, Offset first) {
  CO_TRY(auto run, co_await log.read_run(first, ReadBound::kLogEnd, 1));
  if (run.empty()) co_return Error(ErrorCode::kNotFound, "its first batch is not there");
  co_return run.batches.front().base_timestamp;
}

// When a search must end.
struct SearchTime {
  Env& env;
  Deadline deadline;
  bool over() const { return deadline.passed(env.now()); }
};

struct ScannedLog {
  std::optional<CommittedTxn> found;
  bool to_its_end = true;
};

// Looks for the marker in the log itself.
Task<Result<ScannedLog>> scan(Log& log, int64_t producer_id, int16_t epoch, int64_t from_ms, const SearchTime& time) {
  ScannedLog scanned;
  CO_TRY(auto start, co_await log.offset_for_time(from_ms));
  if (!start) co_return scanned;
  Offset from = std::max(start->offset, log.ends().log_start);
  int16_t data_epoch = epoch;  // until a batch of this producer says otherwise
  for (uint64_t read = 0; read < kScanBytesMax && from < log.ends().end && !time.over();) {
    CO_TRY(auto run, co_await log.read_run(from, ReadBound::kLogEnd, kReadBytes));
    if (run.empty()) co_return scanned;  // a gap up to the end
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
        scanned.found = CommittedTxn{data_epoch, header.last(), header.max_timestamp};
      data_epoch = header.producer_epoch;
    }
    read += run.bytes.size();
    from = run.next();
  }
  scanned.to_its_end = from >= log.ends().end;
  co_return scanned;
}

enum class Look { kRemembered, kLog };  // at what the log remembers of its producers, or at its bytes

Task<void> look_in(PartitionPtr partition, std::vector<Open>& open, bool same_topic, Look look,
                   const SearchTime& time) {
  std::map<int64_t, ProducerSummary> known;
  for (auto& producer : partition->log().producers()) known.emplace(producer.producer_id, producer);
  for (Open& o : open) {
    if (same_topic && o.partition == partition->partition()) continue;
    EndedTransaction& t = o.transaction;
    auto found = known.find(t.producer_id);
    if (found == known.end()) continue;
    std::optional<CommittedTxn> commit = found->second.last_commit;
    const bool remembered = commit || found->second.commits_known;
    o.forgotten = o.forgotten || !remembered;
    if (remembered != (look == Look::kRemembered)) continue;
    if (!remembered) {
      if (time.over()) co_return;  // the caller knows that it is over
      auto scanned = co_await scan(partition->log(), t.producer_id, t.producer_epoch, o.first_ms, time);
      if (scanned) commit = scanned->found;
      t.maybe_torn = t.maybe_torn || !scanned || !scanned->to_its_end;
    }
    if (commit && commit->producer_epoch == t.producer_epoch && commit->timestamp_ms >= o.first_ms)
      t.committed.push_back({partition->topic(), partition->partition(), commit->marker});
  }
}

Task<void> look_everywhere(const PartitionTable& partitions, ImagePtr image, TopicPtr topic, std::vector<Open>& open,
                           Look look, const SearchTime& time) {
  for (const auto& entry : image->topics) {
    TopicPtr other = entry.second;
    if (!other->mirror || other->mirror->link != topic->mirror->link) continue;
    for (const auto& placed : other->partitions) {
      if (look == Look::kLog && time.over()) co_return;
      auto partition = partitions.find(other->id, placed.partition);
      if (partition)
        co_await look_in(*partition, open, other->id == topic->id, look, time);
      else  // offline
        for (Open& o : open) o.transaction.maybe_torn = true;
    }
  }
}

// The open transactions of the record, with the times of their first batches.
Task<std::vector<Open>> open_in(const PartitionTable& partitions, TopicPtr topic, PromotionRecord& record,
                                const SearchTime& time) {
  std::vector<Open> open;
  for (auto& end : record.partitions) {
    auto partition = partitions.find(topic->id, end.partition);
    if (!partition) continue;
    for (auto& transaction : end.aborted) {
      transaction.maybe_torn = true;
      if (time.over()) continue;
      auto first = co_await first_time((*partition)->log(), transaction.first);
      transaction.maybe_torn = !first;
      if (first)
        open.push_back({transaction, end.partition, *first});
      else
        time.env.log().warn("cannot tell whether a transaction is torn", {{"topic", topic->name},
                                                                          {"partition", end.partition},
                                                                          {"producer_id", transaction.producer_id},
                                                                          {"error", first.error()}});
    }
  }
  co_return open;
}

}  // namespace

Task<void> find_torn(Env& env, const MetadataManager& metadata, const PartitionTable& partitions, TopicPtr topic,
                     PromotionRecord& record, Deadline deadline) {
  const SearchTime time{env, std::min(deadline, env.in(kTornSearchMax))};
  std::vector<Open> open = co_await open_in(partitions, topic, record, time);
  if (open.empty()) co_return;
  const ImagePtr image = metadata.image();  // after the reading above: a topic may have been made meanwhile
  co_await look_everywhere(partitions, image, topic, open, Look::kRemembered, time);
  if (std::any_of(open.begin(), open.end(), [](const Open& o) { return o.forgotten; }))
    co_await look_everywhere(partitions, image, topic, open, Look::kLog, time);
  size_t unknown = 0;
  for (Open& o : open) {
    EndedTransaction& t = o.transaction;
    t.maybe_torn = t.committed.empty() && (t.maybe_torn || (o.forgotten && time.over()));
    unknown += t.maybe_torn ? 1 : 0;
  }
  if (unknown > 0)
    env.log().warn("transactions that may be torn: not every log of the link could be read in time",
                   {{"topic", topic->name}, {"transactions", unknown}});
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
