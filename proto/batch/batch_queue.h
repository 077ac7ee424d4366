// BatchQueue: whole batches that were received and not yet taken, in order. Taking costs what is taken, however much
// stays behind: a consumer that takes one batch at a time costs the same for each of a million batches.
// BatchRun::take_front() costs as much as stays behind, and is meant for one cut of a run.
// Memory: the batches; of what was taken, at most one slab's worth of bytes per received run is still referenced.
#pragma once

#include <deque>

#include "proto/batch/batch.h"

namespace farshore {

class BatchQueue {
 public:
  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }
  const BatchHeader& front() const { return parts_.front().run.batches[parts_.front().taken]; }

  void append(BatchRun run);
  // Whether `next` may be taken together with `last`, the batch before it.
  using Joins = bool (*)(const BatchHeader& last, const BatchHeader& next);
  // The batches at the front, as many as fit into `bytes_max`, and at least one; no more than `joins` (if given) takes
  // together. Not of an empty queue. Their part of the budget goes with them.
  BatchRun take(size_t bytes_max, Joins joins = nullptr);

 private:
  struct Part {
    BatchRun run;
    size_t taken = 0;        // batches of the run
    size_t taken_bytes = 0;  // at the front of run.bytes
  };
  // Moves batches of the first part into `into`. False: the next one is not to be taken.
  bool take_from_first(BatchRun& into, size_t bytes_max, Joins joins);

  std::deque<Part> parts_;
  size_t bytes_ = 0;
};

}  // namespace farshore
