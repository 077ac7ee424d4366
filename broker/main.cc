// farshore-broker: one broker process.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "base/gate.h"
#include "base/http/server.h"
#include "base/program/build_info.h"
#include "base/program/command_line.h"
#include "base/real/descriptors.h"
#include "base/real/env.h"
#include "base/real/text_file.h"
#include "base/rocksdb/kv.h"
#include "broker/broker.h"
#include "broker/broker_config.h"
#include "broker/handlers/api_table.h"
#include "broker/metadata/topic_config.h"

namespace farshore::broker {
namespace {

struct Arguments {
  std::string config_file, data, listen, http;
  std::vector<std::string> settings;
  bool debug = false, help_config = false;
};

// The file first, then --set, then the options that have a name of their own.
Result<Config> read_config(const Arguments& arguments) {
  Config config(broker_schema());
  if (!arguments.config_file.empty()) {
    auto text = read_text_file(arguments.config_file);
    if (!text) return std::move(text).error().in("--config");
    FARSHORE_CHECK(config.parse(*text, arguments.config_file));
  }
  for (const auto& setting : arguments.settings) FARSHORE_CHECK(config.parse(setting, "--set"));
  if (!arguments.data.empty()) FARSHORE_CHECK(config.set("log.dirs", arguments.data));
  if (!arguments.listen.empty()) FARSHORE_CHECK(config.set("listeners", "PLAINTEXT://" + arguments.listen));
  return config;
}

Task<Status> serve_http(HttpServer& http, MetricRegistry& metrics, Broker& broker, std::string address) {
  auto at = Endpoint::parse(address);
  if (!at) co_return std::move(at).error().in("--http");
  add_process_routes(http, metrics, [&broker]() -> Status {
    if (broker.ready()) return ok();
    return Error(ErrorCode::kUnavailable, "the broker is starting or stopping");
  });
  auto started = co_await http.start(std::move(*at));
  if (!started) co_return std::move(started).error().in("--http " + address);
  co_return ok();
}

// Until a signal. `/healthz` answers from the first moment on, `/readyz` is 503 until the broker serves.
Task<Status> serve(RealEnv& env, HttpServer& http, Broker& broker, std::string http_address) {
  if (!http_address.empty()) CO_CHECK(co_await serve_http(http, env.metrics(), broker, http_address));
  CO_CHECK(co_await broker.start());
  std::string line = "ready: kafka " + broker.listen_endpoint().to_string();
  if (!http_address.empty()) line += " http " + http.local().to_string();
  line += " cluster " + broker.image()->cluster_id;
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
  auto signal = co_await env.terminated();
  if (!signal) co_return std::move(signal).error();
  co_return ok();
}

Task<void> run_broker(RealEnv& env, HttpServer& http, Broker& broker, std::string http_address, int& exit_code) {
  auto served = co_await serve(env, http, broker, std::move(http_address));
  if (!served) std::fprintf(stderr, "farshore-broker: %s\n", served.error().to_string().c_str());
  co_await broker.stop();
  co_await http.stop();
  exit_code = served ? 0 : 1;
  env.stop();
}

std::string speaks() {
  std::string text = "the Kafka protocol";
  const ApiTable apis(broker_apis());
  for (const ApiEntry& api : apis.entries()) {
    text += (&api == &apis.entries().front() ? ": " : ", ") + std::string(api.name) + " " +
            std::to_string(api.versions.min) + "-" + std::to_string(api.versions.max);
  }
  return text;
}

int run(const Arguments& arguments) {
  if (arguments.help_config) {
    std::printf("Properties of farshore-broker (server.properties, --set):\n%s", help_text(broker_schema()).c_str());
    std::printf("Properties of topics (CreateTopics, IncrementalAlterConfigs):\n%s", help_text(topic_schema()).c_str());
    return 0;
  }
  auto config = read_config(arguments);
  if (!config) {
    std::fprintf(stderr, "farshore-broker: %s\n", config.error().to_string().c_str());
    return 2;
  }
  const auto wanted = static_cast<size_t>(config->number("max.open.files"));
  auto limited = config->set("max.open.files", std::to_string(std::min(wanted, raise_descriptor_limit())));
  if (!limited) {
    std::fprintf(stderr, "farshore-broker: %s: raise the limit of open files (ulimit -n, LimitNOFILE)\n",
                 limited.error().to_string().c_str());
    return 2;
  }
  RealEnvOptions options;
  if (arguments.debug) options.log_level = LogLevel::kDebug;
  RealEnv env(options);
  program::publish_build_info(env.metrics());
  RocksKvOpener opener(env);
  int exit_code = 1;
  {
    Gate gate(env);
    Broker broker(env, opener, std::move(*config));
    HttpServer http(env);
    spawn(gate, "broker", run_broker(env, http, broker, arguments.http, exit_code));
    env.run();
  }
  return exit_code;
}

}  // namespace
}  // namespace farshore::broker

int main(int argc, char** argv) {
  farshore::broker::Arguments arguments;
  CLI::App app("A log broker that speaks the Kafka protocol.", "farshore-broker");
  app.add_option("--config", arguments.config_file,
                 "server.properties, with Kafka's names; the options below win over it")
      ->type_name("FILE");
  app.add_option("--data", arguments.data, "the data directory (log.dirs; default ./data)")->type_name("DIR");
  app.add_option("--listen", arguments.listen,
                 "where clients connect (listeners; default 127.0.0.1:9092; port 0: a free one)")
      ->type_name("HOST:PORT");
  app.add_option("--http", arguments.http, "serves /metrics, /healthz and /readyz")->type_name("HOST:PORT");
  app.add_option("--set", arguments.settings, "a line of server.properties; may be repeated")->type_name("KEY=VALUE");
  app.add_flag("--help-config", arguments.help_config, "lists the properties of brokers and topics, and exits");
  app.add_flag("--debug", arguments.debug, "log more");
  farshore::program::add_program_options(app, farshore::broker::speaks());
  if (auto code = farshore::program::parse_command_line(app, argc, argv)) return *code;
  return farshore::broker::run(arguments);
}
