#include "offsets/client/consumer/internal/assignment.h"

#include <utility>

namespace farshore::client {

void Assignment::given(std::set<PartitionKey> partitions, Millis now) {
  owned_ = std::move(partitions);
  reading_.clear();
  begun_.clear();
  is_given_ = true;
  if (!first_given_) first_given_ = now;
}

void Assignment::taken() {
  reading_.clear();
  is_given_ = false;
}

void Assignment::started(const PartitionKey& partition) {
  reading_.insert(partition);
  begun_.insert(partition);
}

std::vector<PartitionKey> Assignment::may_start(Millis now) const {
  std::vector<PartitionKey> out;
  if (!is_given_) return out;
  const bool others = !kept_ || now - *first_given_ >= kOthersWait;
  for (const auto& key : owned_)
    if (!reading_.contains(key) && (others || kept_->contains(key))) out.push_back(key);
  return out;
}

}  // namespace farshore::client
