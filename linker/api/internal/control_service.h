// ControlService: the methods of the gRPC service farshore.control.v1.Control, each a call of the Gateway with a
// deadline. Threads: gRPC's; the Gateway is called on the executor, through a CallBridge.
#pragma once

#include "linker/api/internal/call_bridge.h"
#include "linker/gateway.h"
#include "proto/control/control.grpc.pb.h"

namespace farshore::linker {

class ControlService final : public api::Control::Service {
 public:
  // `env` and `gateway` outlive it.
  ControlService(Env& env, Gateway& gateway) : gateway_(gateway), bridge_(env) {}

  void end() { bridge_.end(); }  // ends streams, refuses what waits

  grpc::Status CreateLink(grpc::ServerContext* context, const api::CreateLinkRequest* request,
                          api::CreateLinkReply* reply) override;
  grpc::Status ListLinks(grpc::ServerContext* context, const api::ListLinksRequest*,
                         api::ListLinksReply* reply) override;
  grpc::Status DescribeLink(grpc::ServerContext* context, const api::LinkRef* request, api::Link* reply) override;
  grpc::Status UpdateLink(grpc::ServerContext* context, const api::UpdateLinkRequest* request,
                          api::Link* reply) override;
  grpc::Status PauseLink(grpc::ServerContext* context, const api::LinkRef* request, api::Link* reply) override;
  grpc::Status ResumeLink(grpc::ServerContext* context, const api::LinkRef* request, api::Link* reply) override;
  grpc::Status DeleteLink(grpc::ServerContext* context, const api::DeleteLinkRequest* request,
                          api::DeleteLinkReply* reply) override;
  grpc::Status ListTasks(grpc::ServerContext* context, const api::LinkRef* request,
                         api::ListTasksReply* reply) override;
  grpc::Status CreateMirror(grpc::ServerContext* context, const api::CreateMirrorRequest* request,
                            api::MirrorTopic* reply) override;
  grpc::Status ListMirrors(grpc::ServerContext* context, const api::ListMirrorsRequest* request,
                           api::ListMirrorsReply* reply) override;
  grpc::Status DescribeMirror(grpc::ServerContext* context, const api::MirrorRef* request,
                              api::MirrorTopic* reply) override;
  grpc::Status PauseMirrors(grpc::ServerContext* context, const api::MirrorsRequest* request,
                            api::MirrorsReply* reply) override;
  grpc::Status ResumeMirrors(grpc::ServerContext* context, const api::MirrorsRequest* request,
                             api::MirrorsReply* reply) override;
  grpc::Status UnfenceMirrors(grpc::ServerContext* context, const api::MirrorsRequest* request,
                              api::MirrorsReply* reply) override;
  grpc::Status TranslateOffset(grpc::ServerContext* context, const api::TranslateOffsetRequest* request,
                               api::TranslateOffsetReply* reply) override;
  grpc::Status ListGroupSync(grpc::ServerContext* context, const api::ListGroupSyncRequest* request,
                             api::ListGroupSyncReply* reply) override;
  grpc::Status Promote(grpc::ServerContext* context, const api::PromoteRequest* request,
                       grpc::ServerWriter<api::VerbProgress>* writer) override;
  grpc::Status Failover(grpc::ServerContext* context, const api::FailoverRequest* request,
                        grpc::ServerWriter<api::VerbProgress>* writer) override;
  grpc::Status Verify(grpc::ServerContext* context, const api::VerifyRequest* request,
                      grpc::ServerWriter<api::VerifyProgress>* writer) override;
  grpc::Status Status(grpc::ServerContext* context, const api::StatusRequest* request,
                      grpc::ServerWriter<api::StatusReply>* writer) override;

 private:
  Task<Result<api::StatusReply>> status_of(api::StatusRequest request) { co_return gateway_.status(request); }

  Gateway& gateway_;
  CallBridge bridge_;
};

}  // namespace farshore::linker
