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

  // `ends`: by partition, in source offsets. `report` is called when what is waited for changes. `may_go_on` is asked
  // several times per second; its error ends the drain.
  Drain(LinkParts link, MirrorTopic& topic, const std::map<int32_t, int64_t>& ends, Report report,
        std::function<Status()> may_go_on)
      : link_(link), topic_(topic), ends_(ends), report_(std::move(report)), may_go_on_(std::move(may_go_on)) {}

  // kTimedOut: says what was waited for. kInvalidArgument: the topic has left PENDING_STOPPED. kClosed: the link ends.
  // Else the error of `may_go_on`.
  Task<Status> run(Deadline deadline);

 private:
  // Why the mirror is not complete yet, as far as the pumps know; empty: it is.
  std::string missing() const;
  Task<Result<bool>> source_has_all(Deadline deadline);
  Task<void> ask_source(LinkPartition key, Deadline deadline, Status& result, bool& has_all);

  LinkParts link_;
  MirrorTopic& topic_;
  const std::map<int32_t, int64_t>& ends_;
  const Report report_;
  const std::function<Status()> may_go_on_;
};

}  // namespace farshore::linker
