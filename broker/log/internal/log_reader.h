// LogReader: finds the bytes for one read, and loads them. Reads run beside appends and removals: a read pins its
// segment, and starts again if bytes were removed or replaced while it was looking.
// Executor: the Env's.
#pragma once

#include "base/slab.h"
#include "broker/log/internal/batch_locator.h"
#include "broker/log/internal/log_health.h"

namespace farshore {

class LogReader {
 public:
  LogReader(LogState& state, LogHealth& health, BatchLocator& locator, SlabArena& arena)
      : state_(state), health_(health), locator_(locator), arena_(arena) {}

  // As Log::read.
  Task<Result<LogSlice>> find(Offset from, ReadBound bound, size_t bytes_max);
  // Loads the slice into memory. kConflict: its bytes were truncated meanwhile.
  Task<Result<BatchRun>> load(LogSlice slice);

 private:
  // Fills `slice` from the first segment that has batches at `from` or above. False: the log changed meanwhile.
  Task<Result<bool>> try_find(Offset from, ReadBound bound, size_t bytes_max, LogSlice& slice);

  LogState& state_;
  LogHealth& health_;
  BatchLocator& locator_;
  SlabArena& arena_;
};

}  // namespace farshore
