#include "proto/batch/batch_queue.h"

#include <algorithm>
#include <utility>

namespace farshore {

void BatchQueue::append(BatchRun run) {
  if (run.empty()) return;
  bytes_ += run.bytes.size();
  Part part;
  part.run = std::move(run);
  parts_.push_back(std::move(part));
}

bool BatchQueue::take_from_first(BatchRun& into, size_t bytes_max, Joins joins) {
  Part& part = parts_.front();
  const auto& batches = part.run.batches;
  size_t end = part.taken, bytes = 0;
  const BatchHeader* last = into.empty() ? nullptr : &into.batches.back();
  for (; end < batches.size(); last = &batches[end++]) {
    const size_t next = batches[end].size_bytes();
    if (last && (into.bytes.size() + bytes + next > bytes_max || (joins && !joins(*last, batches[end])))) break;
    bytes += next;
  }
  if (end == part.taken) return false;
  const bool all = end == batches.size();
  bytes_ -= bytes;
  BatchRun taken;
  if (all && part.taken == 0) {
    taken = std::move(part.run);
  } else {
    taken.batches.assign(batches.begin() + static_cast<std::ptrdiff_t>(part.taken),
                         batches.begin() + static_cast<std::ptrdiff_t>(end));
    taken.bytes = part.run.bytes.sub(part.taken_bytes, bytes);
    taken.budget = all ? std::move(part.run.budget) : part.run.budget.split(std::min(bytes, part.run.budget.bytes()));
  }
  if (into.empty())
    into = std::move(taken);
  else
    into.append(std::move(taken));
  part.taken = end;
  part.taken_bytes += bytes;
  if (all) {
    parts_.pop_front();
  } else if (part.taken_bytes >= kSlabBytes) {  // lets go of the slabs
    part.run.bytes = part.run.bytes.sub(part.taken_bytes, part.run.bytes.size() - part.taken_bytes);
    part.taken_bytes = 0;
  }
  return all;
}

BatchRun BatchQueue::take(size_t bytes_max, Joins joins) {
  ensure(!empty(), "batches are taken of a queue that has some");
  BatchRun taken;
  while (!parts_.empty() && take_from_first(taken, bytes_max, joins)) {
  }
  return taken;
}

}  // namespace farshore
