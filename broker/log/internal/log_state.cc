#include "broker/log/internal/log_state.h"

#include <algorithm>

namespace farshore {

LogEnds LogState::ends() const {
  LogEnds e;
  e.log_start = e.local_log_start = log_start;
  e.end = end;
  e.flushed_end = flushed_end;
  e.high_watermark = high_watermark;
  e.last_stable = std::min(high_watermark, producers.first_unstable().value_or(high_watermark));
  return e;
}

Offset LogState::bound(ReadBound bound) const {
  switch (bound) {
    case ReadBound::kHighWatermark:
      return high_watermark;
    case ReadBound::kLastStable:
      return ends().last_stable;
    case ReadBound::kLogEnd:
      return end;
  }
  return high_watermark;
}

LogEpoch LogState::epoch_at(Offset offset) const {
  if (offset < log_start || offset >= end) return LogEpoch(-1);
  return epochs.cache().at(offset);
}

PartitionCheckpoint LogState::checkpoint() const {
  PartitionCheckpoint c;
  c.recovery_point = flushed_end;
  c.log_start = log_start;
  c.high_watermark = high_watermark;
  c.cleaned_to = cleaned_to;
  c.compacted_to = compacted_to;
  c.epochs_crc = epochs.file_crc();
  return c;
}

void LogState::raise_high_watermark(Offset to) {
  to = std::min(to, end);
  if (to <= high_watermark) return;
  high_watermark = to;
  producers.on_high_watermark(to);
}

std::vector<Offset> LogState::cut_to(SegmentPtr kept, ProducerState at_end) {
  end = kept->next;
  high_watermark = std::min(high_watermark, end);
  if (!options.test_only_high_watermark_before_truncation) flushed_end = std::min(flushed_end, end);
  cleaned_to = std::min(cleaned_to, end);
  compacted_to = std::min(compacted_to, end);
  producers = std::move(at_end);
  producers.on_high_watermark(high_watermark);
  (void)epochs.truncate_end(end);
  return segments.cut_to(std::move(kept));
}

void LogState::restart_at(Offset start) {
  log_start = end = flushed_end = high_watermark = start;
  compacted_to = std::min(compacted_to, start);
}

void LogState::clear_contents() {
  segments.clear();
  producers.clear();
  epochs.clear();
}

}  // namespace farshore
