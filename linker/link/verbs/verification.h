// Verification: compares a mirror topic with its source, partition by partition, by digests that both ends compute.
// If an end does not answer, or falls silent on the way, each partition that is not compared yet is reported with an
// error that names the end, and with what the other end has. Executor: the Env's.
#pragma once

#include <set>

#include "linker/link/model/silent_ends.h"

namespace farshore::linker {

class Verification {
 public:
  using Report = LinkTarget::Verified;

  // `ends` outlives it; what it learns there holds for the topics that follow.
  Verification(LinkParts link, const MirrorTopic& topic, Report report, SilentEnds& ends)
      : link_(link), topic_(topic), report_(std::move(report)), ends_(ends) {}

  // `report` is called once per partition of the source, also for those that nobody mirrors (with an error).
  // kUnsupported: one end is an Apache Kafka cluster, which computes no digests.
  Task<Status> run(Deadline deadline);

 private:
  Task<Status> compare(Deadline deadline);
  // Of the partitions that were not compared: why, and what the end that answers has of them.
  Task<void> report_not_compared(Deadline deadline);
  Task<Result<MirrorTopicAnswer>> ask_who_answers(Deadline deadline);
  size_t mirrored_partitions() const;
  void report_error(int32_t partition, std::string error) const;

  LinkParts link_;
  const MirrorTopic& topic_;
  const Report report_;
  SilentEnds& ends_;
  std::set<int32_t> compared_;
};

}  // namespace farshore::linker
