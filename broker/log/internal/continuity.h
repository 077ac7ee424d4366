// Continuity: decides, batch by batch, whether recovery may believe offsets and epochs. A power loss can change both
// without an invalid CRC. Above the recovery point every batch must therefore continue the batch before it, or be a gap
// that partition.jumps notes, or begin an epoch that leader-epoch-checkpoint has.
#pragma once

#include <vector>

#include "broker/log/internal/epoch_cache.h"
#include "broker/log/internal/gap_file.h"
#include "broker/log/internal/segment_scan.h"

namespace farshore {

class Continuity final : public BatchOrder {
 public:
  struct Known {
    Offset recovery_point, log_start;
    Offset scanned_from;  // where the first batch is expected
    std::vector<Gap> gaps;
    EpochCache epochs;
  };
  explicit Continuity(Known known);

  // kCorrupt: the batch does not continue the one before.
  Status check(const BatchHeader& header) override;

 private:
  bool noted(const BatchHeader& header) const;
  bool epoch_began(const BatchHeader& header) const;

  Known known_;  // the gaps in order
  Offset next_;
  LogEpoch epoch_{-1};
};

}  // namespace farshore
