// LinkDeletion: one `link delete`: the fences at the source are lifted, the stored definition goes, the link stops,
// then the garbage it leaves at a Kafka target is collected (in the background, if that fails now). Topics and their
// records stay. Executor: the Env's. Owner: the call.
#pragma once

#include "linker/link_registry.h"

namespace farshore::linker {

class LinkDeletion {
 public:
  // `links` outlives it.
  LinkDeletion(LinkRegistry& links, LinkRegistry::LinkPtr link) : links_(links), link_(std::move(link)) {}

  // kInvalidArgument without `force`: some mirror topics are not STOPPED. kConflict: a verb is at work. A dry run is
  // refused as well. kClosed: `caller` has left, nothing was done.
  Task<Result<api::DeleteLinkReply>> run(bool dry_run, bool force, Deadline deadline, CallerPtr caller);

 private:
  void plan();

  LinkRegistry& links_;
  const LinkRegistry::LinkPtr link_;
  api::DeleteLinkReply reply_;
  int live_topics_ = 0;
};

// Of a stored link that cannot be read: its entry goes, then what it kept at the target is collected as garbage.
// kInvalidArgument without `force`.
Task<Result<api::DeleteLinkReply>> delete_unreadable(LinkRegistry& links, api::DeleteLinkRequest request,
                                                     Deadline deadline);

}  // namespace farshore::linker
