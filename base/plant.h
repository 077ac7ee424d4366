// Plant: a defect that the simulation injects into the product, to see that its checks find it (simulation --plant
// NAME). At the place of the defect the product asks planted(). In a real process the answer is always no: the question
// goes through Env::buggify, which is false there. A check that finds none of these proves nothing when it is silent.
//
// To add one: a line here and in kPlants, the question in the product, and the defect must be found (tests/simulation).
#pragma once

#include <string_view>

#include "base/env.h"

namespace farshore {

enum class Plant : uint8_t {
  kResumeFromMemory,
  kHighWatermarkBeforeTruncation,
  kSkipSessionCompare,
  kSkipEpochBefore,
  kSkipSourceStillHas,
  kStaleHighWatermark,
  kFenceNotLifted,
  kIgnoreFence,
  kEpochNotRaised,
  kUnknownLagIsZero,
  kLossNotNamed,
  kGroupNotLowered
};

struct PlantInfo {
  Plant plant;
  const char* site;   // "plant." and its name
  const char* words;  // what the product does wrong
  std::string_view name() const { return std::string_view(site).substr(std::string_view("plant.").size()); }
};

inline constexpr PlantInfo kPlants[] = {
    {Plant::kResumeFromMemory, "plant.resume-from-memory",
     "after a reset a pump goes on where it was, not where the target is"},
    {Plant::kHighWatermarkBeforeTruncation, "plant.high-watermark-before-truncation",
     "after a truncation the target's log takes its old end for durable"},
    {Plant::kSkipSessionCompare, "plant.skip-session-compare", "the target takes appends of any pump session"},
    {Plant::kSkipEpochBefore, "plant.skip-epoch-before",
     "the target takes an append that follows a batch of another epoch than its own last one"},
    {Plant::kSkipSourceStillHas, "plant.skip-source-still-has",
     "a promote does not ask the source whether it still has what was mirrored"},
    {Plant::kStaleHighWatermark, "plant.stale-high-watermark",
     "the report of an end has the first high watermark that the target heard of"},
    {Plant::kFenceNotLifted, "plant.fence-not-lifted", "a promote that is given up goes on fencing the source"},
    {Plant::kIgnoreFence, "plant.ignore-fence", "a gateway that lost a link to another one goes on with it"},
    {Plant::kEpochNotRaised, "plant.epoch-not-raised", "a gateway takes a link over without raising its epoch"},
    {Plant::kUnknownLagIsZero, "plant.unknown-lag-is-zero", "a lag that is not known is shown as 0"},
    {Plant::kLossNotNamed, "plant.loss-not-named", "what the mirror had to leave out or to cut is not shown"},
    {Plant::kGroupNotLowered, "plant.group-not-lowered", "a group's commit beyond the mirror's end is left there"},
};

inline bool planted(Env& env, Plant plant) { return env.buggify(kPlants[static_cast<size_t>(plant)].site); }

}  // namespace farshore
