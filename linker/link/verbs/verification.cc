#include "linker/link/verbs/verification.h"

namespace farshore::linker {

Task<Status> Verification::run(Deadline deadline) {
  const auto& ended = topic_.promotion();  // an ended topic has no pumps any more
  const auto partitions = static_cast<int32_t>(ended ? ended->partitions.size() : topic_.pumps().size());
  co_return co_await link_.target.verify(topic_.as_target_topic(), partitions, link_.source.as_source(), report_,
                                         deadline);
}

}  // namespace farshore::linker
