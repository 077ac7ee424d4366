// PromotionRecord: how a mirror topic ended. The target stores it for ever: brokers answer OffsetForLeaderEpoch from
// it, and consumers that fail over need it (KIP-101). The same record exists for a mirror (on a Farshore target) and
// for a relay (on any other Kafka cluster). Its forms are listed in FORMAT.md:
//   stored, mirror   in the topic's entry of the target's metadata     promotion_json.h
//   stored, relay    in the relay topic's entry                        promotion_json.h
//   on the wire      in the answer of MirrorControl                    promotion_wire.h
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace farshore {

enum class PromotionKind : uint8_t {
  kPromote,  // the mirror had every record of the source
  kFailover  // at once, whatever was missing
};
std::string_view name(PromotionKind kind);  // promote, failover
std::optional<PromotionKind> parse_promotion_kind(std::string_view text);

// A transaction that was open where a mirror ended. The target writes an abort marker behind that end.
struct EndedTransaction {
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  Offset first;  // of its records in this partition
  // Partitions of this link in which the source's COMMIT of the same transaction was mirrored. If there are any, the
  // transaction is torn: one part of it is committed at the target, this part is aborted.
  struct Committed {
    std::string topic;
    int32_t partition = 0;
    Offset marker;
    friend bool operator==(const Committed&, const Committed&) = default;
  };
  std::vector<Committed> committed;
  bool maybe_torn = false;  // `committed` is empty, but not every partition could be read in time
  friend bool operator==(const EndedTransaction&, const EndedTransaction&) = default;
};

// Whether the end of one partition is complete. A mirror may end while a partition is offline at the target: the
// others are written to at once, and the offline one is ended when it is back. A relay leaves a partition kOffline that
// could not be taken over.
enum class EndState : uint8_t {
  kDone,
  kMarkersMissing,  // the end is known; the markers that abort open transactions are not written yet
  kOffline          // the end is not known: failover_offset is -1
};
std::string_view name(EndState state);  // done, markers-missing, offline
std::optional<EndState> parse_end_state(std::string_view text);

struct PromotionRecord {
  PromotionKind kind = PromotionKind::kFailover;
  int64_t wall_ms = 0;  // Unix time in milliseconds: clock of the target's broker (mirror) or of the gateway (relay)

  // Where the records came from. Stored with a mirror only: a relay's entry has them beside the record.
  LinkId link;
  ClusterId source_cluster_id;
  SourceTopicId source_topic;

  struct PartitionEnd {
    int32_t partition = 0;
    SourceOffset failover_offset;             // the first offset of the source that is not at the target
    TargetOffset failover_target_offset{-1};  // the same place at the target; -1: nothing was relayed
    LogEpoch last_epoch;                      // of the last mirrored batch; -1: none
    LeadershipEpoch new_epoch;                // of the first record that is the target's own; -1 for a relay
    SourceOffset source_high_watermark;       // the last one that was seen
    int64_t lost_at_least_records = 0;        // of the source's records below that high watermark
    int64_t lost_at_least_ms = 0;             // how long the oldest lost offset had been known; 0: none lost;
                                              // -1: who ended it never heard of the source, so the loss is unknown
    int64_t blind_window_ms = 0;              // since the last contact with the source; -1: never
    int64_t stranded_records = 0;             // promote: written to the source after the drain; not stored
    std::vector<EndedTransaction> aborted;    // mirrors only
    std::string note;                         // how the end was found, if not in the ordinary way; stored by relays
    EndState state = EndState::kDone;         // clients write to the partition only when it is kDone
    friend bool operator==(const PartitionEnd&, const PartitionEnd&) = default;
  };
  std::vector<PartitionEnd> partitions;
  friend bool operator==(const PromotionRecord&, const PromotionRecord&) = default;
};

// How often a topic has ended, oldest first. A topic that has ended can become a mirror again; its state says which of
// the two it is, and the last record is that of the end that holds. At most kPromotionsMax are kept: the newest ones.
inline constexpr size_t kPromotionsMax = 16;
void add_promotion(std::vector<PromotionRecord>& promotions, PromotionRecord record);

// The end of a mirrored partition: the same offset at both ends.
PromotionRecord::PartitionEnd mirror_end(int32_t partition, Offset end);

}  // namespace farshore
