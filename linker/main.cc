// farshore-gateway: reads the configuration and composes Gateway, control API and HTTP server on a RealEnv.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <thread>

#include "base/gate.h"
#include "base/http/server.h"
#include "base/program/build_info.h"
#include "base/program/command_line.h"
#include "base/real/env.h"
#include "base/real/text_file.h"
#include "base/rocksdb/kv.h"
#include "linker/api/control_server.h"
#include "linker/config.h"
#include "proto/kafka/api_table.h"

namespace farshore::linker {
namespace {

struct Arguments {
  std::string config_file, target, api, http, data;
  std::vector<std::string> settings;
  bool debug = false, help_config = false;
};

// In this order, the later one wins: the file, --set, the options that have names of their own.
Result<GatewaySettings> read_settings(const Arguments& arguments) {
  Config config(gateway_schema());
  if (!arguments.config_file.empty()) {
    auto text = read_text_file(arguments.config_file);
    if (!text) return std::move(text).error().in("--config");
    FARSHORE_CHECK(parse_gateway_yaml(config, *text, arguments.config_file));
  }
  for (const auto& setting : arguments.settings) FARSHORE_CHECK(set_gateway_key(config, setting));
  if (!arguments.target.empty()) FARSHORE_CHECK(config.set("target", arguments.target));
  if (!arguments.api.empty()) FARSHORE_CHECK(config.set("api", arguments.api));
  if (!arguments.http.empty()) FARSHORE_CHECK(config.set("http", arguments.http));
  if (!arguments.data.empty()) FARSHORE_CHECK(config.set("data", arguments.data));
  if (arguments.debug) FARSHORE_CHECK(config.set("debug", "true"));
  return gateway_settings(config);
}

struct Program {
  Program(RealEnv& e, GatewayOptions options)
      : env(e), gate(e), gateway(e, e.network(), std::move(options)), http(e), control(e, gateway) {}
  RealEnv& env;
  Gate gate;
  std::unique_ptr<KvStore> translations;
  Gateway gateway;
  HttpServer http;
  ControlServer control;
  int exit_code = 1;
};

Task<Status> serve(Program& program, const GatewaySettings& settings) {
  if (settings.http) {
    Gateway& gateway = program.gateway;
    add_process_routes(program.http, program.env.metrics(), [&gateway]() -> Status {
      if (gateway.ready()) return ok();
      return Error(ErrorCode::kUnavailable, gateway.not_ready_reason());
    });
    auto started = co_await program.http.start(*settings.http);
    if (!started) co_return started.error().in("http " + settings.http->to_string());
  }
  if (!settings.data.empty()) {
    RocksKvOpener opener(program.env);
    auto opened = co_await opener.open(settings.data + "/translations");
    if (opened) {
      program.translations = std::move(*opened);
      program.gateway.keep_translations_in(*program.translations);
    } else if (opened.error() == ErrorCode::kNoSpace) {
      // The directory only saves reading the map from the target again. Links that stand still would be worse.
      program.env.log().error(
          "the disk of the data directory is full: the image of relay translations is in memory, "
          "until a start that finds room there",
          {{"data", settings.data}, {"error", opened.error()}});
    } else {
      co_return opened.error().in("data " + settings.data);
    }
  }
  CO_TRY(auto bound, program.control.start(settings.api));
  program.gateway.start();
  co_await program.gateway.tried();  // so that the line below can say whether there are links
  std::string line = "ready: api " + bound.to_string();
  if (settings.http) line += " http " + program.http.local().to_string();
  line += " target " + to_string(settings.gateway.target);
  if (!program.gateway.ready()) line += " (no links yet: " + program.gateway.not_ready_reason() + ")";
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
  CO_CHECK(co_await program.env.terminated());
  co_return ok();
}

Task<void> run_gateway(Program& program, const GatewaySettings& settings) {
  auto served = co_await serve(program, settings);
  if (!served) std::fprintf(stderr, "farshore-gateway: %s\n", served.error().to_string().c_str());
  // gRPC's shutdown waits for calls, and these wait for this executor: so it needs a thread of its own.
  Wait<void> stopped(program.env);
  std::thread stopper([&program, stopped] {
    program.control.stop();
    program.env.post([stopped] { stopped.complete(ok()); });
  });
  (void)co_await stopped.wait(Deadline::never());
  stopper.join();
  co_await program.gateway.stop();
  co_await program.http.stop();
  program.exit_code = served ? 0 : 1;
  program.env.stop();
}

std::string speaks() {
  std::string text = "control API v1; the Kafka protocol, as a client; with Farshore brokers also";
  const char* separator = " ";
  for (const kafka::ApiInfo& api : kafka::apis()) {
    if (!api.is_private) continue;
    text += separator + std::string(api.name) + " " + std::to_string(api.min_version) + "-" +
            std::to_string(api.max_version);
    separator = ", ";
  }
  return text;
}

int run(const Arguments& arguments) {
  if (arguments.help_config) {
    std::fputs(gateway_config_help().c_str(), stdout);
    return 0;
  }
  auto settings = read_settings(arguments);
  if (!settings) {
    std::fprintf(stderr, "farshore-gateway: %s\n", settings.error().to_string().c_str());
    return 2;
  }
  RealEnvOptions env_options;
  if (settings->debug) env_options.log_level = LogLevel::kDebug;
  RealEnv env(env_options);
  program::publish_build_info(env.metrics());
  Program program(env, settings->gateway);
  spawn(program.gate, "gateway", run_gateway(program, *settings));
  env.run();
  return program.exit_code;
}

}  // namespace
}  // namespace farshore::linker

int main(int argc, char** argv) {
  farshore::linker::Arguments arguments;
  CLI::App app("Links a source and a target cluster of Kafka-protocol logs.", "farshore-gateway");
  app.add_option("--config", arguments.config_file, "gateway.yaml; the options below win over it")->type_name("FILE");
  app.add_option("--target", arguments.target, "bootstrap of the target cluster, where links are stored")
      ->type_name("HOST:PORT[,...]");
  app.add_option("--api", arguments.api,
                 "the control API (gRPC, loopback only; default 127.0.0.1:9870; port 0: a free one)")
      ->type_name("HOST:PORT");
  app.add_option("--http", arguments.http, "serves /metrics, /healthz and /readyz")->type_name("HOST:PORT");
  app.add_option("--data", arguments.data,
                 "keeps the local image of relay translations; without it the image is in memory, and rebuilt from the "
                 "target at each start")
      ->type_name("DIR");
  app.add_option("--set", arguments.settings, "one key of gateway.yaml; may be repeated")->type_name("KEY=VALUE");
  app.add_flag("--help-config", arguments.help_config, "lists the keys of gateway.yaml");
  app.add_flag("--debug", arguments.debug, "log more");
  farshore::program::add_program_options(app, farshore::linker::speaks());
  if (auto code = farshore::program::parse_command_line(app, argc, argv)) return *code;
  return farshore::linker::run(arguments);
}
