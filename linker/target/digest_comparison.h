// DigestComparison: compares a mirror topic with its source by digests of batches that both Farshore ends compute.
// Where a partition differs, the range is cut into smaller ones until the first batch that differs is found. Executor:
// the Env's. Deadlines are the caller's.
#pragma once

#include "linker/target/link_target.h"

namespace farshore::linker {

class DigestComparison {
 public:
  // `source` and `target` outlive it.
  DigestComparison(MirrorClient& source, MirrorClient& target, TargetTopic topic, int32_t partitions)
      : source_(source), target_(target), topic_(std::move(topic)), partitions_(partitions) {}

  // Calls `verified` once per partition, also for those that one end cannot describe (with the error). An ended mirror
  // is compared up to its end.
  Task<Status> run(LinkTarget::Verified verified, Deadline deadline);

 private:
  Task<Result<api::VerifyProgress>> compare(api::VerifyProgress range, Deadline deadline);
  // The part of [low, high) in which the two ends differ first. Sets first_difference in `out`; false: that is as near
  // as digests can tell.
  static bool narrow(const MirrorPartitionAnswer& source, const MirrorPartitionAnswer& target, int64_t& low,
                     int64_t& high, api::VerifyProgress& out);

  MirrorClient& source_;
  MirrorClient& target_;
  const TargetTopic topic_;
  const int32_t partitions_;
};

}  // namespace farshore::linker
