// LinkCreation: one `link create`. Both clusters are asked before anything is stored. The topics follow: the link makes
// them, and the caller sees what has become of them by his deadline.
//
//   examine      which clusters are at the two addresses, and may they be linked in this mode?
//   plan         a dry run ends here: what would become of each selected topic at the target
//   store        the definition, by compare-and-set; garbage of a deleted link of the same name is collected first
//   first_round  the link starts, and its first round of discovery is waited for
//
// Executor: the Env's. Owner: the call.
#pragma once

#include "linker/gateway_options.h"
#include "linker/unconfirmed_links.h"

namespace farshore::linker {

class LinkCreation {
 public:
  // References outlive it. `own_target`: the cluster at which this gateway stores its links.
  LinkCreation(Env& env, Connector& connector, const GatewayOptions& options, ClusterAdmin& own_target,
               LinkRegistry& links, UnconfirmedLinks& unconfirmed, LinkSpec spec);

  // kAlreadyExists, kResourceExhausted (links_max), kInvalidArgument: the two clusters cannot be linked so. Retriable
  // errors of the store: the link may be stored or not; it appears by itself if it is.
  Task<Result<api::CreateLinkReply>> run(bool dry_run, Deadline deadline);

 private:
  Status check_room() const;
  Task<Status> examine(Deadline deadline);
  Status check_clusters(const ClusterIdentity& source, const ClusterIdentity& target, const ClusterIdentity& own) const;
  // Null: a dry run.
  Task<Result<LinkRegistry::LinkPtr>> make(bool dry_run, Deadline deadline);
  Task<Status> plan(Deadline deadline);
  void plan_topic(const TopicInfo& topic, const Result<TargetTopic>& possible);
  Task<Result<int64_t>> store(Deadline deadline);
  Task<void> first_round(Link& link, Deadline deadline);
  void add_mirror(const std::string& source_topic, int32_t partitions, const std::string& topic);
  void add_left_out(const std::string& source_topic, const std::string& why);
  Deadline soon(Deadline deadline) const;  // for one question to a cluster

  Env& env_;
  const GatewayOptions& options_;
  ClusterAdmin& own_target_;
  LinkRegistry& links_;
  UnconfirmedLinks& unconfirmed_;
  StoredLink link_;
  ClusterAdmin source_;
  MirrorClient source_mirrors_;
  bool source_is_farshore_ = false;
  std::unique_ptr<LinkTarget> target_;
  api::CreateLinkReply reply_;
};

}  // namespace farshore::linker
