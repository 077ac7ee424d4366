#include "linker/api/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "base/gate.h"
#include "linker/printable.h"
#include "proto/control/control.grpc.pb.h"

namespace farshore::linker {
namespace {

constexpr Duration kCallLimit = seconds(60), kVerbLimit = minutes(10), kPromoteLimit = seconds(60);
constexpr auto kGrace = std::chrono::seconds(5);
constexpr size_t kQueuedMessagesMax = 4096;

grpc::Status to_grpc(const Error& error) {
  using Code = grpc::StatusCode;
  Code code = Code::INTERNAL;
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
      code = Code::INVALID_ARGUMENT;
      break;
    case ErrorCode::kNotFound:
      code = Code::NOT_FOUND;
      break;
    case ErrorCode::kAlreadyExists:
      code = Code::ALREADY_EXISTS;
      break;
    case ErrorCode::kPermissionDenied:
      code = Code::PERMISSION_DENIED;
      break;
    case ErrorCode::kUnsupported:
      code = Code::UNIMPLEMENTED;
      break;
    case ErrorCode::kOutOfRange:
      code = Code::OUT_OF_RANGE;
      break;
    case ErrorCode::kResourceExhausted:
      code = Code::RESOURCE_EXHAUSTED;
      break;
    case ErrorCode::kConflict:
    case ErrorCode::kFenced:
    case ErrorCode::kAmbiguous:
      code = Code::ABORTED;
      break;
    // Not UNAVAILABLE: that would read as if the gateway itself were away.
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimedOut:
    case ErrorCode::kConnectionReset:
      code = Code::FAILED_PRECONDITION;
      break;
    default:
      break;
  }
  return {code, error.detail.empty() ? std::string(error_name(error.code)) : printable(error.to_string())};
}

// What one call's coroutine hands to its gRPC thread: messages in order, then the status.
template <class Message>
class Mailbox {
 public:
  void push(Message message) {
    make_printable(message);
    std::lock_guard lock(mutex_);
    if (messages_.size() < kQueuedMessagesMax) {
      messages_.push_back(std::move(message));
    } else {
      ++lost_;
    }
    changed_.notify_one();
  }
  void finish(grpc::Status status) {
    std::lock_guard lock(mutex_);
    status_ = std::move(status);
    if (lost_ > 0 && status_->ok())  // an outcome may be among them
      status_ = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                             "the work is done, but the caller read too slowly: " + std::to_string(lost_) +
                                 " messages about it were dropped (see farshore status)");
    changed_.notify_one();
  }
  // False at the end; `status` is set then. Asks `cancelled` a few times per second.
  bool next(Message& message, grpc::Status& status, const std::function<bool()>& cancelled) {
    std::unique_lock lock(mutex_);
    while (messages_.empty() && !status_) {
      if (cancelled()) {
        status = grpc::Status(grpc::StatusCode::CANCELLED, "cancelled");
        return false;
      }
      changed_.wait_for(lock, std::chrono::milliseconds(200));
    }
    if (messages_.empty()) {
      status = *status_;
      return false;
    }
    message = std::move(messages_.front());
    messages_.pop_front();
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Message> messages_;
  size_t lost_ = 0;
  std::optional<grpc::Status> status_;
};

// On the Env's executor, as all counting.
void count_refusal(Env& env, const Error& error) {
  env.metrics()
      .counter("farshore_gateway_calls_refused_total", "Calls of the control API that ended in an error, by its kind.",
               {{"code", std::string(error_name(error.code))}})
      .add();
}

template <class Reply>
Task<void> answer(Env& env, std::shared_ptr<Mailbox<Reply>> mailbox, Task<Result<Reply>> work) {
  auto result = co_await std::move(work);
  if (!result) count_refusal(env, result.error());
  if (result) mailbox->push(std::move(*result));
  mailbox->finish(result ? grpc::Status::OK : to_grpc(result.error()));
}

template <class Message>
Task<void> answer_stream(Env& env, std::shared_ptr<Mailbox<Message>> mailbox, Task<Status> work) {
  auto result = co_await std::move(work);
  if (!result) count_refusal(env, result.error());
  mailbox->finish(result ? grpc::Status::OK : to_grpc(result.error()));
}

class Service final : public api::Control::Service {
 public:
  Service(Env& env, Gateway& gateway) : env_(env), gateway_(gateway), gate_(env), changed_(env) {}
  std::atomic<bool> stopping{false};

  grpc::Status CreateLink(grpc::ServerContext* context, const api::CreateLinkRequest* request,
                          api::CreateLinkReply* reply) override {
    return call<api::CreateLinkReply>(context, reply,
                                      [this, r = *request] { return gateway_.create_link(r, env_.in(kCallLimit)); });
  }
  grpc::Status ListLinks(grpc::ServerContext* context, const api::ListLinksRequest*,
                         api::ListLinksReply* reply) override {
    return call<api::ListLinksReply>(context, reply, [this] { return gateway_.list_links(); });
  }
  grpc::Status DescribeLink(grpc::ServerContext* context, const api::LinkRef* request, api::Link* reply) override {
    return call<api::Link>(context, reply, [this, name = request->link()] { return gateway_.describe_link(name); });
  }
  grpc::Status UpdateLink(grpc::ServerContext* context, const api::UpdateLinkRequest* request,
                          api::Link* reply) override {
    return call<api::Link>(context, reply,
                           [this, r = *request] { return gateway_.update_link(r, env_.in(kCallLimit)); });
  }
  grpc::Status PauseLink(grpc::ServerContext* context, const api::LinkRef* request, api::Link* reply) override {
    return call<api::Link>(context, reply, [this, name = request->link()] {
      return gateway_.pause_link(name, true, env_.in(kCallLimit));
    });
  }
  grpc::Status ResumeLink(grpc::ServerContext* context, const api::LinkRef* request, api::Link* reply) override {
    return call<api::Link>(context, reply, [this, name = request->link()] {
      return gateway_.pause_link(name, false, env_.in(kCallLimit));
    });
  }
  grpc::Status DeleteLink(grpc::ServerContext* context, const api::DeleteLinkRequest* request,
                          api::DeleteLinkReply* reply) override {
    return call<api::DeleteLinkReply>(context, reply,
                                      [this, r = *request] { return gateway_.delete_link(r, env_.in(kCallLimit)); });
  }
  grpc::Status ListTasks(grpc::ServerContext* context, const api::LinkRef* request,
                         api::ListTasksReply* reply) override {
    api::Link link;
    auto status =
        call<api::Link>(context, &link, [this, name = request->link()] { return gateway_.describe_link(name); });
    *reply->mutable_tasks() = link.tasks();
    return status;
  }
  grpc::Status CreateMirror(grpc::ServerContext* context, const api::CreateMirrorRequest* request,
                            api::MirrorTopic* reply) override {
    return call<api::MirrorTopic>(context, reply,
                                  [this, r = *request] { return gateway_.create_mirror(r, env_.in(seconds(20))); });
  }
  grpc::Status ListMirrors(grpc::ServerContext* context, const api::ListMirrorsRequest* request,
                           api::ListMirrorsReply* reply) override {
    return call<api::ListMirrorsReply>(context, reply, [this, r = *request] { return gateway_.list_mirrors(r); });
  }
  grpc::Status DescribeMirror(grpc::ServerContext* context, const api::MirrorRef* request,
                              api::MirrorTopic* reply) override {
    return call<api::MirrorTopic>(context, reply, [this, r = *request] { return gateway_.describe_mirror(r); });
  }
  grpc::Status PauseMirrors(grpc::ServerContext* context, const api::MirrorsRequest* request,
                            api::MirrorsReply* reply) override {
    return call<api::MirrorsReply>(
        context, reply, [this, r = *request] { return gateway_.pause_mirrors(r, true, env_.in(kCallLimit)); });
  }
  grpc::Status ResumeMirrors(grpc::ServerContext* context, const api::MirrorsRequest* request,
                             api::MirrorsReply* reply) override {
    return call<api::MirrorsReply>(
        context, reply, [this, r = *request] { return gateway_.pause_mirrors(r, false, env_.in(kCallLimit)); });
  }
  grpc::Status TranslateOffset(grpc::ServerContext* context, const api::TranslateOffsetRequest* request,
                               api::TranslateOffsetReply* reply) override {
    return call<api::TranslateOffsetReply>(context, reply, [this, r = *request] { return gateway_.translate(r); });
  }
  grpc::Status ListGroupSync(grpc::ServerContext* context, const api::ListGroupSyncRequest* request,
                             api::ListGroupSyncReply* reply) override {
    return call<api::ListGroupSyncReply>(context, reply, [this, r = *request] { return gateway_.group_sync(r); });
  }

  grpc::Status Promote(grpc::ServerContext* context, const api::PromoteRequest* request,
                       grpc::ServerWriter<api::VerbProgress>* writer) override {
    const Duration limit = request->deadline_ms() > 0 ? Duration(milliseconds(request->deadline_ms())) : kPromoteLimit;
    return stream<api::VerbProgress>(context, writer, [this, r = *request, limit](auto told) {
      return gateway_.promote(r, std::move(told), env_.in(limit));
    });
  }
  grpc::Status Failover(grpc::ServerContext* context, const api::FailoverRequest* request,
                        grpc::ServerWriter<api::VerbProgress>* writer) override {
    return stream<api::VerbProgress>(context, writer, [this, r = *request](auto told) {
      return gateway_.failover(r, std::move(told), env_.in(kVerbLimit));
    });
  }
  grpc::Status Verify(grpc::ServerContext* context, const api::VerifyRequest* request,
                      grpc::ServerWriter<api::VerifyProgress>* writer) override {
    return stream<api::VerifyProgress>(context, writer, [this, r = *request](auto told) {
      return gateway_.verify(r, std::move(told), env_.in(kVerbLimit));
    });
  }
  grpc::Status Status(grpc::ServerContext* context, const api::StatusRequest* request,
                      grpc::ServerWriter<api::StatusReply>* writer) override {
    const auto interval = std::chrono::milliseconds(std::clamp<int64_t>(request->interval_ms(), 100, 60000));
    while (true) {
      api::StatusReply reply;
      auto status = call<api::StatusReply>(context, &reply, [this, r = *request] { return status_of(r); });
      if (!status.ok()) return status;
      if (!writer->Write(reply) || !request->watch()) return grpc::Status::OK;
      std::unique_lock lock(mutex_);
      stopped_.wait_for(lock, interval, [this] { return stopping.load(); });
      if (stopping || context->IsCancelled()) return grpc::Status::OK;
    }
  }

  void end() {
    stopping = true;
    stopped_.notify_all();
  }
  Gate& gate() { return gate_; }

 private:
  Task<Result<api::StatusReply>> status_of(api::StatusRequest request) { co_return gateway_.status(request); }

  template <class Reply, class Work>
  grpc::Status call(grpc::ServerContext* context, Reply* reply, Work work) {
    auto mailbox = std::make_shared<Mailbox<Reply>>();
    env_.post([this, mailbox, work]() mutable {
      if (!spawn(gate_, "control call", answer(env_, mailbox, work())))
        mailbox->finish({grpc::StatusCode::UNAVAILABLE, "the gateway is stopping"});
    });
    grpc::Status status;
    auto cancelled = [&] { return stopping || context->IsCancelled(); };
    if (!mailbox->next(*reply, status, cancelled)) return status;
    Reply rest;
    mailbox->next(rest, status, cancelled);
    return status;
  }

  template <class Message, class Work>
  grpc::Status stream(grpc::ServerContext* context, grpc::ServerWriter<Message>* writer, Work work) {
    auto mailbox = std::make_shared<Mailbox<Message>>();
    env_.post([this, mailbox, work]() mutable {
      auto told = [mailbox](Message message) { mailbox->push(std::move(message)); };
      if (!spawn(gate_, "control stream", answer_stream(env_, mailbox, work(told))))
        mailbox->finish({grpc::StatusCode::UNAVAILABLE, "the gateway is stopping"});
    });
    grpc::Status status;
    Message message;
    while (mailbox->next(message, status, [&] { return stopping || context->IsCancelled(); }))
      if (!writer->Write(message)) return {grpc::StatusCode::CANCELLED, "the caller went away"};
    return status;
  }

  Env& env_;
  Gateway& gateway_;
  Gate gate_;
  Notifier changed_;
  std::mutex mutex_;
  std::condition_variable stopped_;
};

}  // namespace

struct ControlServer::Impl {
  Impl(Env& env, Gateway& gateway) : service(env, gateway) {}
  Service service;
  std::unique_ptr<grpc::Server> server;
};

ControlServer::ControlServer(Env& env, Gateway& gateway) : impl_(std::make_unique<Impl>(env, gateway)) {}
ControlServer::~ControlServer() = default;

Result<Endpoint> ControlServer::start(const Endpoint& address) {
  if (address.host != "127.0.0.1" && address.host != "localhost" && address.host != "::1")
    return Error(ErrorCode::kInvalidArgument, "the control API listens on loopback only, not on " +
                                                  address.to_string() + ": it has no authentication of its own");
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address.to_string(), grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.RegisterService(&impl_->service);
  impl_->server = builder.BuildAndStart();
  if (!impl_->server || port == 0)
    return Error(ErrorCode::kAlreadyExists,
                 "the control API cannot listen on " + address.to_string() + ": is the port taken?");
  Endpoint bound = address;
  bound.port = static_cast<uint16_t>(port);
  return bound;
}

void ControlServer::stop() {
  impl_->service.end();
  if (impl_->server) impl_->server->Shutdown(std::chrono::system_clock::now() + kGrace);
}

}  // namespace farshore::linker
