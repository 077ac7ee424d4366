// Gateway: the control API of the links of one target cluster. The gRPC adapter (linker/api) posts its calls to the
// Env's executor; the simulation calls it directly. A gateway keeps no state of its own: links are stored at the
// target, and a gateway that starts takes them over (LinkTakeover). If another gateway has taken over, this one stops
// its links and logs it. Executor: the Env's. Errors: Result's codes; the adapter turns them into gRPC's. Deadlines are
// the caller's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "linker/link_takeover.h"

namespace farshore::linker {

class Gateway {
 public:
  // References outlive it.
  Gateway(Env& env, Connector& connector, GatewayOptions options);
  ~Gateway();

  // Before start(): keeps the image of relay translations there; otherwise it is in memory. Outlives the gateway.
  void keep_translations_in(KvStore& kv) { takeover_.keep_translations_in(kv); }
  void start() { takeover_.start(); }  // takes the stored links over, in the background
  // Completes when that has been tried once: ready(), or not_ready_reason() says why not.
  Task<void> tried() { return takeover_.tried(); }
  Task<void> stop();
  bool ready() const { return links_.ready(); }
  std::string not_ready_reason() const { return links_.not_ready_reason(); }  // empty when ready

  Task<Result<api::CreateLinkReply>> create_link(api::CreateLinkRequest request, Deadline deadline);
  Task<Result<api::ListLinksReply>> list_links();
  Task<Result<api::Link>> describe_link(std::string link);
  // `caller`, here and below: nothing is done any more once he has left. Null: he never leaves.
  Task<Result<api::Link>> update_link(api::UpdateLinkRequest request, Deadline deadline, CallerPtr caller = nullptr);
  Task<Result<api::Link>> pause_link(std::string link, bool paused, Deadline deadline, CallerPtr caller = nullptr);
  Task<Result<api::DeleteLinkReply>> delete_link(api::DeleteLinkRequest request, Deadline deadline,
                                                 CallerPtr caller = nullptr);
  Task<Result<api::MirrorTopic>> create_mirror(api::CreateMirrorRequest request, Deadline deadline,
                                               CallerPtr caller = nullptr);
  Task<Result<api::ListMirrorsReply>> list_mirrors(api::ListMirrorsRequest request);
  Task<Result<api::MirrorTopic>> describe_mirror(api::MirrorRef request);
  Task<Result<api::MirrorsReply>> pause_mirrors(api::MirrorsRequest request, bool paused, Deadline deadline,
                                                CallerPtr caller = nullptr);
  Task<Result<api::MirrorsReply>> unfence_mirrors(api::MirrorsRequest request, Deadline deadline,
                                                  CallerPtr caller = nullptr);
  // `progress` is called on the executor, with the outcome of every topic; the returned status is about the request as
  // a whole. Topics run side by side, and each has the whole time until `deadline` from when it begins.
  Task<Status> failover(api::FailoverRequest request, TopicVerb::Progress progress, Deadline deadline,
                        CallerPtr caller = nullptr);
  Task<Status> promote(api::PromoteRequest request, TopicVerb::Progress progress, Deadline deadline,
                       CallerPtr caller = nullptr);
  Task<Status> verify(api::VerifyRequest request, Verification::Report report, Deadline deadline,
                      CallerPtr caller = nullptr);
  Task<Result<api::TranslateOffsetReply>> translate(api::TranslateOffsetRequest request);
  Task<Result<api::ListGroupSyncReply>> group_sync(api::ListGroupSyncRequest request);
  // kNotFound: the request names a link that this gateway, which is ready, does not have.
  Result<api::StatusReply> status(const api::StatusRequest& request) const;

 private:
  void show_metrics();
  using OneTopic = std::function<Task<Status>(std::string topic, Deadline deadline)>;
  // Calls `one` for each topic, some of them at the same time; tells `progress` what failed.
  Task<void> side_by_side(std::vector<std::string> topics, OneTopic one, TopicVerb::Progress progress,
                          Deadline deadline, CallerPtr caller);
  static Task<void> run_one(OneTopic one, std::string topic, TopicVerb::Progress progress, Deadline deadline,
                            Notifier& ended);
  Task<Status> failover_of_orphans(api::FailoverRequest request, TopicVerb::Progress progress, Deadline deadline,
                                   CallerPtr caller);
  // The named topics, each once, or all of the link. kNotFound: one is no mirror topic of it.
  static Result<std::vector<std::string>> topics_of(const Link& link,
                                                    const google::protobuf::RepeatedPtrField<std::string>& named,
                                                    bool all);

  Env& env_;
  Connector& connector_;
  const GatewayOptions options_;
  ClusterAdmin target_;
  LinkRegistry links_;
  UnconfirmedLinks unconfirmed_;
  LinkTakeover takeover_;
  MonoTime started_;
  std::shared_ptr<LinkMetrics> metrics_;
  Event stopping_;
};

}  // namespace farshore::linker
