// ReportCleanup: deletes what is stored about the ends and the losses of mirror topics that the target does not have
// any more. Nothing can bring a deleted report back, so a topic counts as gone only when kLooks looks in a row, kPause
// apart, did not find it: a broker that has just started may know a part of the topics, or none. Begins anew with each
// gateway. Executor: the Env's. Owner: TopicDiscovery.
#pragma once

#include <map>
#include <string>

#include "linker/link/model/link_parts.h"

namespace farshore::linker {

class ReportCleanup {
 public:
  static constexpr int kLooks = 3;
  static constexpr Duration kPause = seconds(10);

  explicit ReportCleanup(LinkParts link) : link_(link) {}

  // Looks once, if it is time. Nothing is left to do when every topic with a report was found, or its report deleted.
  Task<Status> run(Deadline deadline);

 private:
  LinkParts link_;
  bool done_ = false;
  MonoTime next_look_;
  std::map<std::string, int> missing_looks_;  // by topic: looks in a row that did not find it
};

}  // namespace farshore::linker
