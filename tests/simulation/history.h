// History: records which batches clients sent and which were acknowledged, and every batch that was ever seen in a log.
// It checks the rules that these must follow. It knows nothing of brokers, so the canary can give it wrong histories.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace farshore::simulation {

inline constexpr const char* kTopic = "orders";
inline constexpr int32_t kPartitions = 3;

struct StoredBatch {
  int64_t offset = 0, next = 0;
  int32_t epoch = -1;
  uint32_t crc = 0;  // of the batch as it was sent; no two sent batches are equal
};

// The batches at the front of a log file, up to the first that is incomplete or has a wrong CRC.
std::vector<StoredBatch> batches_of(std::string_view bytes);

// The records in these batches: key and value by offset.
std::map<int64_t, std::pair<std::string, std::string>> records_of(std::string_view bytes);

struct PartitionState {
  std::string source, mirror;  // bytes of the logs
};

class History {
 public:
  explicit History(int32_t partitions) : partitions_(partitions) {}

  // Called by producers.
  void sent(int32_t partition, uint32_t crc) { sent_.emplace(partition, crc); }
  void acknowledged(int32_t partition, int64_t offset, uint32_t crc);
  void producer_id(int64_t id);
  size_t acknowledgements() const { return acknowledgements_.size(); }
  const std::set<int64_t>& producer_ids() const { return producer_ids_; }
  // Called by the committer before it sends a commit.
  void commits(int32_t partition, int64_t offset) { raise(committed_, partition, offset); }

  // Called by Watch. Rule: a (partition, offset, epoch) always holds the same batch, and a mirror holds only batches
  // that its source held.
  void seen_at_source(int32_t partition, const StoredBatch& batch);
  void seen_at_mirror(int32_t partition, const StoredBatch& batch);

  // The source's high watermark and leadership epoch.
  void source_at(int32_t partition, int64_t high_watermark, int32_t leadership_epoch);
  // An offset of the group at the target. `mirrored_end`: the highest end of the mirror so far.
  void group_at_target(int32_t partition, int64_t offset, int64_t mirrored_end);

  // One partition after a promote or failover: its failover offset, and what the promotion record says.
  struct End {
    int32_t partition = 0;
    int64_t failover_offset = 0, source_high_watermark = 0, lost_at_least = 0, stranded = 0;
    int32_t new_epoch = 0;
  };
  // `target`: bytes of the target's log at that time. `may_lose`: as in check_end. `all_of_it`: it was promoted, so
  // only the acknowledged records that the promotion record calls stranded may be missing.
  void check_ended(const End& end, std::string_view target, bool may_lose, bool all_of_it);

  // Acknowledged batches that are not in `bytes` of the log, or are below `from`.
  std::vector<std::string> missing(int32_t partition, int64_t from, std::string_view bytes) const;

  void violation(std::string text);
  const std::vector<std::string>& violations() const { return violations_; }

  // Checks all rules after healing and convergence. `may_lose`: power was lost, and acknowledgements did not wait for
  // fsync.
  void check_end(const std::vector<PartitionState>& states, bool may_lose);

 private:
  static void raise(std::map<int32_t, int64_t>& map, int32_t key, int64_t value) {
    int64_t& slot = map.emplace(key, value).first->second;
    if (slot < value) slot = value;
  }
  using Place = std::tuple<int32_t, int64_t, int32_t>;  // partition, offset, epoch
  struct Acknowledgement {
    int32_t partition;
    int64_t offset;
    uint32_t crc;
  };
  int32_t partitions_;
  std::set<std::pair<int32_t, uint32_t>> sent_;
  std::vector<Acknowledgement> acknowledgements_;
  std::set<int64_t> producer_ids_;
  std::map<Place, StoredBatch> source_;
  std::map<int32_t, int64_t> committed_, high_watermark_, epoch_;  // by partition: the highest
  std::vector<std::string> violations_;
};

}  // namespace farshore::simulation
