// Continuity: decides, batch by batch, whether recovery may believe offsets and epochs. A power loss can change both
// without an invalid CRC. Above the recovery point every batch must therefore continue the batch before it, or be a gap
// that partition.jumps notes, or begin an epoch that leader-epoch-checkpoint has.
//
// These two files may be lost or damaged. So a batch is also believed if what was written after it goes on behind it: a
// power loss that changes a batch does not change the batch after it to fit. Only what nothing confirms counts as torn.
// But no jump is believed against a note: if notes say what was written at this end of the log, a batch with a gap that
// says something else was changed, whatever lies behind it. A batch that continues without a gap needs no note, and the
// notes at its offset may be of batches that were cut off.
#pragma once

#include <set>
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
    bool gaps_whole = true;  // no note is missing
    EpochCache epochs;
    std::set<Offset> segment_bases;  // a segment begins at the end of the log: its name confirms the batch before it
  };
  explicit Continuity(Known known);

  // kCorrupt: the batch does not continue the one before, and nothing says that it should not.
  Status check(const BatchHeader& header, const BatchHeader* behind) override;
  bool wants_behind(const BatchHeader& header) const override { return !continues(header); }
  // How many batches were believed only because of what lies behind them.
  uint64_t unnoted() const { return unnoted_; }
  Offset next() const { return next_; }

 private:
  bool continues(const BatchHeader& header) const;
  enum class Notes { kNone, kAgree, kContradict };
  // What the notes say about a batch at the end of the log so far.
  Notes notes_on(const BatchHeader& header) const;
  bool epoch_began(const BatchHeader& header) const;
  bool confirmed(const BatchHeader& header, const BatchHeader* behind) const;

  Known known_;  // the gaps in order
  uint64_t unnoted_ = 0;
  Offset next_;
  LogEpoch epoch_{-1};
};

}  // namespace farshore
