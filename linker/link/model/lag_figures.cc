#include "linker/link/model/lag_figures.h"

#include <algorithm>

namespace farshore::linker {

LagFigures::LagFigures(const replicator::PartitionProgress& partition, MonoTime now) {
  const auto& pump = partition.pump;
  const bool comparable = partition.heard() && pump.opened;
  if (comparable) {
    records_ = pump.lag_offsets;
    ms_max_ = std::chrono::duration_cast<milliseconds>(pump.lag).count();
  }
  if (!comparable || now - partition.known_as_of > kFresh) unknown_ = 1;
}

LagFigures LagFigures::unknown() {
  LagFigures figures;
  figures.unknown_ = 1;
  return figures;
}

void LagFigures::add(const LagFigures& other) {
  records_ += other.records_;
  ms_max_ = std::max(ms_max_, other.ms_max_);
  unknown_ += other.unknown_;
}

}  // namespace farshore::linker
