#include "proto/link/write_fence.h"

#include <algorithm>

namespace farshore {
namespace {

int64_t later_fence_end(int64_t a, int64_t b) {
  return a == kFenceForever || b == kFenceForever ? kFenceForever : std::max(a, b);
}

// Makes room for one more. False: all of them hold.
bool forget_a_lifted_fence(std::vector<WriteFence>& fences) {
  auto lifted = std::find_if(fences.begin(), fences.end(), [](const WriteFence& fence) { return !fence.holds(); });
  if (lifted == fences.end()) return false;
  fences.erase(lifted);
  return true;
}

}  // namespace

FenceOutcome apply_fence(std::vector<WriteFence>& fences, const WriteFence& wanted) {
  auto found =
      std::find_if(fences.begin(), fences.end(), [&](const WriteFence& fence) { return fence.link == wanted.link; });
  if (found == fences.end()) {
    if (fences.size() >= kFencesMax && !forget_a_lifted_fence(fences)) return FenceOutcome::kTooMany;
    fences.push_back(wanted);
    return FenceOutcome::kApplied;
  }
  if (wanted.number < found->number) return FenceOutcome::kSuperseded;
  WriteFence changed = wanted;
  if (wanted.number == found->number && wanted.holds()) {
    if (!found->holds()) return FenceOutcome::kSuperseded;
    changed.until_ms = later_fence_end(found->until_ms, wanted.until_ms);
  }
  fences.erase(found);  // the newest is the last
  fences.push_back(changed);
  return FenceOutcome::kApplied;
}

bool lift_expired_fences(std::vector<WriteFence>& fences, int64_t now_ms) {
  bool lifted = false;
  for (auto& fence : fences) {
    if (!fence.holds() || fence.forever() || fence.until_ms > now_ms) continue;
    fence.until_ms = kFenceLifted;
    lifted = true;
  }
  return lifted;
}

int64_t next_fence_end(const std::vector<WriteFence>& fences) {
  int64_t next = kFenceForever;
  for (const auto& fence : fences) {
    if (!fence.holds() || fence.forever()) continue;
    next = next == kFenceForever ? fence.until_ms : std::min(next, fence.until_ms);
  }
  return next;
}

bool any_fence_holds(const std::vector<WriteFence>& fences) {
  return std::any_of(fences.begin(), fences.end(), [](const WriteFence& fence) { return fence.holds(); });
}

bool fences_have_an_end(const std::vector<WriteFence>& fences) {
  return std::none_of(fences.begin(), fences.end(), [](const WriteFence& fence) { return fence.forever(); });
}

}  // namespace farshore
