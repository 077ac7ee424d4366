#include "linker/api/control_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include "linker/api/internal/control_service.h"

namespace farshore::linker {
namespace {

constexpr auto kGrace = std::chrono::seconds(5);

}  // namespace

struct ControlServer::Impl {
  Impl(Env& env, Gateway& gateway) : service(env, gateway) {}
  ControlService service;
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
