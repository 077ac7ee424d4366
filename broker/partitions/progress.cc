#include "broker/partitions/progress.h"

namespace farshore::broker {

void Progress::notify() {
  notifier_.notify();
  for (auto& watch : watches_) watch.moved_();
}

void Progress::close() {
  notifier_.close();
  for (auto& watch : watches_) watch.moved_();
  watches_.clear();
}

void Progress::watch(ProgressWatch& watch) {
  if (notifier_.closed()) return;
  if (watch.is_linked()) watch.unlink();
  watches_.push_back(watch);
}

}  // namespace farshore::broker
