// HighWatermarks: when the source's high watermark was first seen beyond a point. How long the oldest offset that the
// target lacks has been known follows from it: the lag in time. Keeps a few samples, so that an idle pump stays small.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/ids.h"
#include "base/time.h"

namespace farshore::replicator {

class HighWatermarks {
 public:
  // The source's high watermark rose to `high_watermark`; the target holds everything below `target_end`.
  void rose(SourceOffset high_watermark, SourceOffset target_end, MonoTime now);
  // The source's high watermark went back to `high_watermark`: what is above it does not exist any more.
  void fell(SourceOffset high_watermark);
  // How long an offset at or above `target_end` has been known; 0: none is. Too long rather than too short.
  Duration lag(SourceOffset target_end, MonoTime now) const;

 private:
  struct Sample {
    SourceOffset high_watermark;
    MonoTime at;
  };
  static constexpr size_t kSamplesMax = 4;
  Sample samples_[kSamplesMax];  // oldest first
  uint8_t count_ = 0;
};

}  // namespace farshore::replicator
