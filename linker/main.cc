// farshore-gateway: the composition root of the linker.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <thread>

#include "base/gate.h"
#include "base/real/env.h"
#include "base/real/http.h"
#include "linker/grpc/server.h"

namespace farshore::linker {
namespace {

struct Arguments {
  std::string target, api = "127.0.0.1:9870", http;
  bool debug = false;
};

struct Program {
  Program(RealEnv& e, GatewayOptions options)
      : env(e), gate(e), gateway(e, e.network(), std::move(options)), http(e), control(e, gateway) {}
  RealEnv& env;
  Gate gate;
  Gateway gateway;
  HttpServer http;
  ControlServer control;
  int exit_code = 1;
};

Task<Status> serve(Program& program, const Arguments& arguments) {
  auto api_at = Endpoint::parse(arguments.api);
  if (!api_at) co_return api_at.error().in("--api");
  if (!arguments.http.empty()) {
    auto http_at = Endpoint::parse(arguments.http);
    if (!http_at) co_return http_at.error().in("--http");
    Gateway& gateway = program.gateway;
    add_process_routes(program.http, program.env.metrics(), [&gateway]() -> Status {
      if (gateway.ready()) return ok();
      return Error(ErrorCode::kUnavailable, gateway.not_ready_reason());
    });
    auto started = co_await program.http.start(std::move(*http_at));
    if (!started) co_return started.error().in("--http " + arguments.http);
  }
  program.gateway.start();
  CO_TRY(auto bound, program.control.start(*api_at));
  std::string line = "ready: api " + bound.to_string();
  if (!arguments.http.empty()) line += " http " + program.http.local().to_string();
  line += " target " + arguments.target;
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
  CO_CHECK(co_await program.env.terminated());
  co_return ok();
}

Task<void> run_gateway(Program& program, const Arguments& arguments) {
  auto served = co_await serve(program, arguments);
  if (!served) std::fprintf(stderr, "farshore-gateway: %s\n", served.error().to_string().c_str());
  // gRPC's shutdown waits for calls that wait for this executor: so from a thread of its own.
  Wait<void> stopped(program.env);
  std::thread stopper([&program, stopped] {
    program.control.stop();
    asio::post(program.env.executor(), [stopped] { stopped.complete(ok()); });
  });
  (void)co_await stopped.wait(Deadline::never());
  stopper.join();
  co_await program.gateway.stop();
  co_await program.http.stop();
  program.exit_code = served ? 0 : 1;
  program.env.stop();
}

int run(const Arguments& arguments) {
  GatewayOptions options;
  auto target = parse_bootstrap(arguments.target);
  if (!target) {
    std::fprintf(stderr, "farshore-gateway: --target: %s\n", target.error().to_string().c_str());
    return 2;
  }
  options.target = std::move(*target);
  RealEnvOptions env_options;
  if (arguments.debug) env_options.log_level = LogLevel::kDebug;
  RealEnv env(env_options);
  Program program(env, std::move(options));
  spawn(program.gate, "gateway", run_gateway(program, arguments));
  env.run();
  return program.exit_code;
}

}  // namespace
}  // namespace farshore::linker

int main(int argc, char** argv) {
  farshore::linker::Arguments arguments;
  CLI::App app("Links a source and a target cluster of Kafka-protocol logs.", "farshore-gateway");
  app.add_option("--target", arguments.target, "bootstrap of the target cluster, where links are stored")->required();
  app.add_option("--api", arguments.api, "HOST:PORT of the control API (gRPC, loopback); port 0: a free one");
  app.add_option("--http", arguments.http, "HOST:PORT for /metrics, /healthz and /readyz");
  app.add_flag("--debug", arguments.debug, "log more");
  CLI11_PARSE(app, argc, argv);
  return farshore::linker::run(arguments);
}
