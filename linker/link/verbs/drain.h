// Drain: waits until a mirror topic that is being promoted holds everything of the source below given ends, and until
// the source, asked directly, still has what the mirror holds. Reaching the ends is not enough: a source that crashed
// and lost its tail may end below them while the pumps still hold its old high watermark. Executor: the Env's. Owner: a
// promotion.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "linker/link/model/link_parts.h"

namespace farshore::linker {

class Drain {
 public:
  using Report = std::function<void(std::string)>;

  // `ends`: by partition, in source offsets. `report` is called when the number of missing records changes.
  Drain(LinkParts link, MirrorTopic& topic, const std::map<int32_t, int64_t>& ends, Report report)
      : link_(link), topic_(topic), ends_(ends), report_(std::move(report)) {}

  // kTimedOut: records are missing, or the mirror has not followed the source's loss. kInvalidArgument: the topic has
  // left PENDING_STOPPED. kClosed: the link ends.
  Task<Status> run(Deadline deadline);

 private:
  int64_t missing_records() const;
  Task<Result<bool>> source_has_all(Deadline deadline);

  LinkParts link_;
  MirrorTopic& topic_;
  const std::map<int32_t, int64_t>& ends_;
  const Report report_;
};

}  // namespace farshore::linker
