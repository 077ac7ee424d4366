#include "linker/api/internal/control_service.h"

#include <algorithm>

namespace farshore::linker {
namespace {

// Of clients that give no deadline.
constexpr Duration kCallLimit = seconds(60), kMirrorLimit = seconds(20), kVerbLimit = minutes(10);
constexpr Duration kVerifyLimit = hours(2);      // of one call; a large link is verified topic by topic
constexpr Duration kPromoteLimit = seconds(60);  // of any client, unless the request says another one

}  // namespace

grpc::Status ControlService::CreateLink(grpc::ServerContext* context, const api::CreateLinkRequest* request,
                                        api::CreateLinkReply* reply) {
  return bridge_.call<api::CreateLinkReply>(context, reply, [this, r = *request](const ApiCall& from) {
    return gateway_.create_link(r, from.deadline(bridge_.env(), kCallLimit));
  });
}

grpc::Status ControlService::ListLinks(grpc::ServerContext* context, const api::ListLinksRequest*,
                                       api::ListLinksReply* reply) {
  return bridge_.call<api::ListLinksReply>(context, reply, [this](const ApiCall&) { return gateway_.list_links(); });
}

grpc::Status ControlService::DescribeLink(grpc::ServerContext* context, const api::LinkRef* request, api::Link* reply) {
  return bridge_.call<api::Link>(
      context, reply, [this, name = request->link()](const ApiCall&) { return gateway_.describe_link(name); });
}

grpc::Status ControlService::UpdateLink(grpc::ServerContext* context, const api::UpdateLinkRequest* request,
                                        api::Link* reply) {
  return bridge_.call<api::Link>(context, reply, [this, r = *request](const ApiCall& from) {
    return gateway_.update_link(r, from.deadline(bridge_.env(), kCallLimit), from.caller);
  });
}

grpc::Status ControlService::PauseLink(grpc::ServerContext* context, const api::LinkRef* request, api::Link* reply) {
  return bridge_.call<api::Link>(context, reply, [this, name = request->link()](const ApiCall& from) {
    return gateway_.pause_link(name, true, from.deadline(bridge_.env(), kCallLimit), from.caller);
  });
}

grpc::Status ControlService::ResumeLink(grpc::ServerContext* context, const api::LinkRef* request, api::Link* reply) {
  return bridge_.call<api::Link>(context, reply, [this, name = request->link()](const ApiCall& from) {
    return gateway_.pause_link(name, false, from.deadline(bridge_.env(), kCallLimit), from.caller);
  });
}

grpc::Status ControlService::DeleteLink(grpc::ServerContext* context, const api::DeleteLinkRequest* request,
                                        api::DeleteLinkReply* reply) {
  return bridge_.call<api::DeleteLinkReply>(context, reply, [this, r = *request](const ApiCall& from) {
    return gateway_.delete_link(r, from.deadline(bridge_.env(), kCallLimit), from.caller);
  });
}

grpc::Status ControlService::ListTasks(grpc::ServerContext* context, const api::LinkRef* request,
                                       api::ListTasksReply* reply) {
  api::Link link;
  auto status = bridge_.call<api::Link>(
      context, &link, [this, name = request->link()](const ApiCall&) { return gateway_.describe_link(name); });
  *reply->mutable_tasks() = link.tasks();
  return status;
}

grpc::Status ControlService::CreateMirror(grpc::ServerContext* context, const api::CreateMirrorRequest* request,
                                          api::MirrorTopic* reply) {
  return bridge_.call<api::MirrorTopic>(context, reply, [this, r = *request](const ApiCall& from) {
    return gateway_.create_mirror(r, from.deadline(bridge_.env(), kMirrorLimit), from.caller);
  });
}

grpc::Status ControlService::ListMirrors(grpc::ServerContext* context, const api::ListMirrorsRequest* request,
                                         api::ListMirrorsReply* reply) {
  return bridge_.call<api::ListMirrorsReply>(context, reply,
                                             [this, r = *request](const ApiCall&) { return gateway_.list_mirrors(r); });
}

grpc::Status ControlService::DescribeMirror(grpc::ServerContext* context, const api::MirrorRef* request,
                                            api::MirrorTopic* reply) {
  return bridge_.call<api::MirrorTopic>(context, reply,
                                        [this, r = *request](const ApiCall&) { return gateway_.describe_mirror(r); });
}

grpc::Status ControlService::PauseMirrors(grpc::ServerContext* context, const api::MirrorsRequest* request,
                                          api::MirrorsReply* reply) {
  return bridge_.call<api::MirrorsReply>(context, reply, [this, r = *request](const ApiCall& from) {
    return gateway_.pause_mirrors(r, true, from.deadline(bridge_.env(), kCallLimit), from.caller);
  });
}

grpc::Status ControlService::ResumeMirrors(grpc::ServerContext* context, const api::MirrorsRequest* request,
                                           api::MirrorsReply* reply) {
  return bridge_.call<api::MirrorsReply>(context, reply, [this, r = *request](const ApiCall& from) {
    return gateway_.pause_mirrors(r, false, from.deadline(bridge_.env(), kCallLimit), from.caller);
  });
}

grpc::Status ControlService::UnfenceMirrors(grpc::ServerContext* context, const api::MirrorsRequest* request,
                                            api::MirrorsReply* reply) {
  return bridge_.call<api::MirrorsReply>(context, reply, [this, r = *request](const ApiCall& from) {
    return gateway_.unfence_mirrors(r, from.deadline(bridge_.env(), kCallLimit), from.caller);
  });
}

grpc::Status ControlService::TranslateOffset(grpc::ServerContext* context, const api::TranslateOffsetRequest* request,
                                             api::TranslateOffsetReply* reply) {
  return bridge_.call<api::TranslateOffsetReply>(
      context, reply, [this, r = *request](const ApiCall&) { return gateway_.translate(r); });
}

grpc::Status ControlService::ListGroupSync(grpc::ServerContext* context, const api::ListGroupSyncRequest* request,
                                           api::ListGroupSyncReply* reply) {
  return bridge_.call<api::ListGroupSyncReply>(context, reply,
                                               [this, r = *request](const ApiCall&) { return gateway_.group_sync(r); });
}

grpc::Status ControlService::Promote(grpc::ServerContext* context, const api::PromoteRequest* request,
                                     grpc::ServerWriter<api::VerbProgress>* writer) {
  const Duration limit = request->deadline_ms() > 0 ? Duration(milliseconds(request->deadline_ms())) : kPromoteLimit;
  return bridge_.stream<api::VerbProgress>(
      context, writer, [this, r = *request, limit](const ApiCall& from, auto send) {
        return gateway_.promote(r, std::move(send), from.deadline_within(bridge_.env(), limit), from.caller);
      });
}

grpc::Status ControlService::Failover(grpc::ServerContext* context, const api::FailoverRequest* request,
                                      grpc::ServerWriter<api::VerbProgress>* writer) {
  return bridge_.stream<api::VerbProgress>(context, writer, [this, r = *request](const ApiCall& from, auto send) {
    return gateway_.failover(r, std::move(send), from.deadline(bridge_.env(), kVerbLimit), from.caller);
  });
}

grpc::Status ControlService::Verify(grpc::ServerContext* context, const api::VerifyRequest* request,
                                    grpc::ServerWriter<api::VerifyProgress>* writer) {
  return bridge_.stream<api::VerifyProgress>(context, writer, [this, r = *request](const ApiCall& from, auto send) {
    return gateway_.verify(r, std::move(send), from.deadline(bridge_.env(), kVerifyLimit), from.caller);
  });
}

grpc::Status ControlService::Status(grpc::ServerContext* context, const api::StatusRequest* request,
                                    grpc::ServerWriter<api::StatusReply>* writer) {
  const auto interval = std::chrono::milliseconds(std::clamp<int64_t>(request->interval_ms(), 100, 60000));
  api::StatusRequest asked = *request;
  while (true) {
    api::StatusReply reply;
    auto status =
        bridge_.call<api::StatusReply>(context, &reply, [this, r = asked](const ApiCall&) { return status_of(r); });
    asked.set_discover(false);  // one round of it, however long somebody watches
    if (!status.ok()) return status;
    if (!writer->Write(reply) || !request->watch()) return grpc::Status::OK;
    bridge_.pause(interval);
    if (bridge_.stopping() || context->IsCancelled()) return grpc::Status::OK;
  }
}

}  // namespace farshore::linker
