// WriteFence: a link keeps clients from writing to a topic of its source while it promotes that topic's mirror. The
// source stores its fences with the topic, one per link. A fence of a promote that runs has an end: the gateway renews
// it, and where no gateway comes back the source lifts it by itself. A fence without an end belongs to a mirror that
// was promoted.
// Every change carries the number of its attempt. A change that comes late, after a newer one of the same link, is
// refused: so a fence that was lifted is never raised again by a request that waited in a queue.
// Decision: docs/decisions/0120-fences-have-an-end.md.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "base/ids.h"

namespace farshore {

inline constexpr int64_t kFenceForever = -1;  // of until_ms: only a lift ends it
inline constexpr int64_t kFenceLifted = 0;    // of until_ms: kept for the sake of its number
inline constexpr size_t kFencesMax = 16;      // of one topic; lifted ones are forgotten, the oldest first

// Of two attempts of one link the higher one is newer. A gateway that takes the link over has a higher epoch.
struct FenceNumber {
  LinkEpoch epoch;
  int64_t attempt = 0;
  friend auto operator<=>(const FenceNumber&, const FenceNumber&) = default;
};

struct WriteFence {
  LinkId link;
  FenceNumber number;
  int64_t until_ms = kFenceLifted;  // Unix time, by the clock of the cluster that stores it
  bool holds() const { return until_ms != kFenceLifted; }
  bool forever() const { return until_ms == kFenceForever; }
  friend bool operator==(const WriteFence&, const WriteFence&) = default;
};

enum class FenceOutcome : uint8_t {
  kApplied,
  kSuperseded,  // a newer change of this link was applied before, or this attempt was lifted
  kTooMany      // kFencesMax links hold one already
};
// Raises, renews or lifts the fence of `wanted.link`. A renewal never shortens.
FenceOutcome apply_fence(std::vector<WriteFence>& fences, const WriteFence& wanted);
// Lifts the fences whose end has come. True: there were some.
bool lift_expired_fences(std::vector<WriteFence>& fences, int64_t now_ms);
// The next end of a fence; kFenceForever: none of them has an end.
int64_t next_fence_end(const std::vector<WriteFence>& fences);
bool any_fence_holds(const std::vector<WriteFence>& fences);
// All that hold have an end: writes are refused for a while only.
bool fences_have_an_end(const std::vector<WriteFence>& fences);

}  // namespace farshore
