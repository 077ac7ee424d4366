// ProducerState: the producers of one log, computed from its batches alone: the sequences that make retries harmless,
// and the open transactions. The same batches give the same state on a leader, on a mirror and after recovery.
// The rules are those of KIP-98, KIP-360 and Apache Kafka's broker. In memory only.
//
// At most `producers_max` producers are remembered. If one more comes, the producer that has written nothing for the
// longest time (in offsets) is forgotten, as if it had expired. A producer with an open transaction is never forgotten:
// those come on top of the limit.
#pragma once

#include <boost/container/small_vector.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "broker/log/log.h"
#include "proto/batch/records.h"

namespace farshore {

class ProducerState {
 public:
  static constexpr size_t kRemembered = 5;                      // batches per producer; a client has no more in flight
  static constexpr size_t kSnapshotBytesMax = size_t{1} << 30;  // of a file that is read; older versions had no limit

  explicit ProducerState(size_t producers_max = LogOptions().producers_max) : producers_max_(producers_max) {}

  struct Batch {
    int32_t last_sequence = -1;
    Offset last;
    int32_t offset_delta = 0;  // last - first, also of sequences
    int64_t timestamp_ms = -1;
    Offset first() const { return last - offset_delta; }
    int32_t first_sequence() const;
  };
  struct Producer {
    int16_t epoch = -1;
    int32_t coordinator_epoch = -1;
    int64_t last_timestamp_ms = -1;
    std::optional<Offset> txn_first;
    std::optional<CommittedTxn> last_commit;  // in memory only: Kafka's snapshot format has no field for it
    bool from_snapshot = false;
    Offset used{-1};                                   // last offset of its newest batch or marker; -1: not known
    boost::container::small_vector<Batch, 1> batches;  // oldest first; empty after a marker of a new epoch
    int32_t last_sequence() const { return batches.empty() ? -1 : batches.back().last_sequence; }
  };
  struct Verdict {
    AppendOutcome outcome = AppendOutcome::kAppended;
    std::string refusal;
    Offset first, last;  // of the first append, for a duplicate
    int64_t timestamp_ms = -1;
  };
  struct CompletedTxn {
    int64_t producer_id = -1;
    Offset first, last;  // last: of the marker
    bool aborted = false;
    Offset last_stable;  // what becomes stable with the marker
  };

  // Decides whether a client may append these batches next. Changes nothing.
  Verdict check_client(const BatchRun& run) const;
  // Decides whether a coordinator may append this marker. Changes nothing.
  Verdict check_marker(const BatchHeader& header, const ControlMarker& marker) const;

  // Counts a data batch that is in the log, with its final offsets. Batches without producer id are ignored.
  void apply(const BatchHeader& header);
  // Counts a marker that is in the log. Returns the transaction that it ended, if one was open.
  std::optional<CompletedTxn> apply_marker(const BatchHeader& header, const ControlMarker& marker);

  // The first offset of the oldest transaction that is open, or whose marker is not below the high watermark. Every
  // transaction below it is decided and committed. nullopt: there is none.
  std::optional<Offset> first_unstable() const;
  void on_high_watermark(Offset high_watermark);
  bool has_open_transaction(int64_t producer_id) const;

  // Forgets the producers whose last batch has a timestamp older than `expiration_ms`, unless they have an open
  // transaction.
  void expire(int64_t now_ms, int64_t expiration_ms);
  void clear();
  std::vector<ProducerSummary> summaries() const;
  // Last offsets of the newest data batch and of the newest batch of each producer. Compaction keeps these batches.
  std::unordered_set<Offset> last_offsets() const;
  size_t size() const { return producers_.size(); }

  // The .snapshot file (version 1), with the last batch of each producer.
  std::string encode() const;
  // Of more than `producers_max` producers, those that wrote last are kept.
  static Result<ProducerState> decode(std::string_view bytes, size_t producers_max = LogOptions().producers_max);

 private:
  static Verdict check_one(const BatchHeader& header, const Producer* known);
  static void remember(const BatchHeader& header, Producer& producer);
  // `last` is the last offset of the newest batch of this producer. Forgets another one if there are too many.
  void note_use(int64_t id, Producer& producer, Offset last);

  size_t producers_max_;
  std::map<int64_t, Producer> producers_;      // ordered, so that snapshots and listings are equal everywhere
  std::set<std::pair<Offset, int64_t>> idle_;  // last use, producer id; of producers without an open transaction
  std::set<std::pair<Offset, int64_t>> open_;  // first offset, producer id
  std::map<Offset, Offset> unreplicated_;      // decided, marker not yet below the high watermark: first -> last
};

}  // namespace farshore
