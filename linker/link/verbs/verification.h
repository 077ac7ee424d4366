// Verification: compares a mirror topic with its source, partition by partition, by digests that both ends compute.
// Executor: the Env's.
#pragma once

#include "linker/link/model/link_parts.h"

namespace farshore::linker {

class Verification {
 public:
  using Report = LinkTarget::Verified;

  Verification(LinkParts link, const MirrorTopic& topic, Report report)
      : link_(link), topic_(topic), report_(std::move(report)) {}

  // `report` is called once per partition of the source, also for those that nobody mirrors (with an error).
  // kUnsupported: one end is an Apache Kafka cluster, which computes no digests. Other errors: an end does not answer.
  Task<Status> run(Deadline deadline);

 private:
  void report_error(int32_t partition, std::string error) const;

  LinkParts link_;
  const MirrorTopic& topic_;
  const Report report_;
};

}  // namespace farshore::linker
