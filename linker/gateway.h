// Gateway: the links of one target cluster, and what the control API does with them. A plain class of tasks; the gRPC
// adapter (linker/grpc) beside main posts calls to the Env's executor. A gateway keeps nothing: links are stored at the
// target, and a gateway that starts takes them over. One that finds that another has taken over stops, and says so.
// Executor: the Env's. Errors: Result's codes; the adapter turns them into gRPC's.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/async_mutex.h"
#include "linker/link/link_controller.h"
#include "linker/store/backend.h"

namespace farshore::linker {

struct GatewayOptions {
  std::vector<Endpoint> target;  // where links are stored, and the default target of new ones
  ClusterId target_cluster_id;   // any other cluster behind the address is refused; empty: any
  Duration retry = seconds(1);   // while the target does not answer at the start
  Duration watch = seconds(2);   // how often it is asked whether another gateway has taken over
  size_t links_max = 256;
  size_t metrics_topics_max = 100;           // of each link: topics with series of their own in /metrics
  replicator::ReplicatorOptions replicator;  // of every link; what a link's definition says wins
};

class Gateway {
 public:
  // References outlive it.
  Gateway(Env& env, Connector& connector, GatewayOptions options);
  ~Gateway();

  // Before start(): where the image of relay translations is kept; otherwise in memory. Outlives the gateway.
  void keep_translations_in(KvStore& kv) { translations_ = &kv; }
  void start();  // takes the stored links over, in the background, as soon as the target answers
  // Resolves when that has been tried once: ready(), or not_ready_reason() says why not.
  Task<void> tried();
  Task<void> stop();
  bool ready() const { return loaded_; }
  // Why it is not ready; empty when it is.
  std::string not_ready_reason() const { return loaded_ ? "" : load_error_; }

  Task<Result<api::CreateLinkReply>> create_link(api::CreateLinkRequest request, Deadline deadline);
  Task<Result<api::ListLinksReply>> list_links();
  Task<Result<api::Link>> describe_link(std::string link);
  Task<Result<api::Link>> update_link(api::UpdateLinkRequest request, Deadline deadline);
  Task<Result<api::Link>> pause_link(std::string link, bool paused, Deadline deadline);
  Task<Result<api::DeleteLinkReply>> delete_link(api::DeleteLinkRequest request, Deadline deadline);
  Task<Result<api::MirrorTopic>> create_mirror(api::CreateMirrorRequest request, Deadline deadline);
  Task<Result<api::ListMirrorsReply>> list_mirrors(api::ListMirrorsRequest request);
  Task<Result<api::MirrorTopic>> describe_mirror(api::MirrorRef request);
  Task<Result<api::MirrorsReply>> pause_mirrors(api::MirrorsRequest request, bool paused, Deadline deadline);
  // `progress` is called on the executor. Every topic's outcome is told through it; the status is about the request.
  Task<Status> failover(api::FailoverRequest request, LinkController::Progress progress, Deadline deadline);
  Task<Status> promote(api::PromoteRequest request, LinkController::Progress progress, Deadline deadline);
  Task<Status> verify(api::VerifyRequest request, LinkController::Verified verified, Deadline deadline);
  Task<Result<api::TranslateOffsetReply>> translate(api::TranslateOffsetRequest request);
  Task<Result<api::ListGroupSyncReply>> group_sync(api::ListGroupSyncRequest request);
  api::StatusReply status(const api::StatusRequest& request) const;

 private:
  using Controller = std::shared_ptr<LinkController>;
  Result<Controller> find(const std::string& link) const;
  void show_metrics();
  Task<void> load();
  Task<Status> open_home();
  Task<void> watch();
  Task<void> give_up(Error fenced);
  Task<Status> take_over(StoredEntry entry, Deadline deadline);
  Result<Controller> make_controller(const StoredLink& link, int64_t revision);
  // With changing_ held: links that are stored after all, although nobody here heard so when they were created.
  Task<Status> adopt_unsure(Deadline deadline);
  Task<Status> plan(const LinkSpec& spec, LinkTarget& target, LinkSource source, api::CreateLinkReply& reply,
                    Deadline deadline);
  Result<std::vector<std::string>> topics_of(const Controller& link,
                                             const google::protobuf::RepeatedPtrField<std::string>& named,
                                             bool all) const;

  Env& env_;
  Connector& connector_;
  const GatewayOptions options_;
  SlabArena arena_;
  ClusterAdmin target_;
  KvStore* translations_ = nullptr;
  std::unique_ptr<LinkHome> home_;  // when the target is known
  std::map<std::string, Controller> links_;
  std::map<LinkId, MonoTime> unsure_;  // created, the answer was lost: looked for until then
  bool in_control_ = false, loaded_ = false;
  std::string load_error_ = "the stored links have not been read yet";
  MonoTime started_;
  std::shared_ptr<LinkMetrics> metrics_;
  Event stopping_, tried_;
  AsyncMutex changing_;  // links_ as a whole
  Gate gate_;
};

Result<LinkSpec> spec_of(const api::LinkSpec& from, const std::vector<Endpoint>& default_target);

}  // namespace farshore::linker
