#include "replicator/high_watermarks.h"

#include <algorithm>

namespace farshore::replicator {

// Where there is no room, the newest sample stands for more: the lag is then overstated.
void HighWatermarks::rose(SourceOffset high_watermark, SourceOffset target_end, MonoTime now) {
  uint8_t done = 0;
  while (done < count_ && samples_[done].high_watermark <= target_end) ++done;
  std::copy(samples_ + done, samples_ + count_, samples_);
  count_ -= done;
  if (high_watermark <= target_end) return;
  if (count_ == kSamplesMax)
    samples_[kSamplesMax - 1].high_watermark = high_watermark;
  else
    samples_[count_++] = {high_watermark, now};
}

void HighWatermarks::fell(SourceOffset high_watermark) {
  uint8_t kept = 0;
  for (uint8_t i = 0; i < count_; ++i) {
    samples_[kept] = samples_[i];
    const bool beyond = samples_[kept].high_watermark > high_watermark;
    if (beyond) samples_[kept].high_watermark = high_watermark;
    // The first sample at or beyond the new end says when that end was first seen; later ones say nothing.
    ++kept;
    if (beyond) break;
  }
  count_ = kept;
}

Duration HighWatermarks::lag(SourceOffset target_end, MonoTime now) const {
  for (uint8_t i = 0; i < count_; ++i) {
    if (samples_[i].high_watermark > target_end) return now - samples_[i].at;
  }
  return Duration::zero();
}

}  // namespace farshore::replicator
