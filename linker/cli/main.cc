// farshore: the command line of the gateway.
#include <cstdlib>
#include <iostream>

#include "base/gate.h"
#include "base/program/command_line.h"
#include "base/real/env.h"
#include "linker/cli/session.h"
#include "proto/kafka/client/cluster_client.h"

namespace farshore::cli {
namespace {

Task<void> ask(kafka::ClusterClient& broker, Deadline deadline, Status& answer, RealEnv& env) {
  std::vector<std::string> no_topics;
  auto view = co_await broker.refresh(std::move(no_topics), deadline);
  answer = view ? ok() : Status(view.error());
  env.stop();
}

Status ask_broker(const Endpoint& address) {
  RealEnv env;
  kafka::ClusterOptions options;
  options.bootstrap = {address};
  Status answer = Error(ErrorCode::kTimedOut, "no answer");
  kafka::ClusterClient broker(env, env.network(), std::move(options));
  Gate gate(env);
  spawn(gate, "ask a broker", ask(broker, env.in(seconds(1)), answer, env));
  env.run();
  return answer;
}

}  // namespace
}  // namespace farshore::cli

int main(int argc, char** argv) {
  using namespace farshore::cli;
  setenv("GRPC_VERBOSITY", "NONE", 0);  // its log lines are of no use to an operator: every error is in a reply
  Session session;
  session.ask_broker = ask_broker;
  if (const char* address = std::getenv("FARSHORE_API")) session.address = address;

  CLI::App app{"Links Kafka-protocol log clusters: the same bytes, at the same offsets, on the far shore."};
  app.name("farshore");
  app.require_subcommand(1);
  app.fallthrough();  // --api and -o may stand anywhere
  app.add_option("--api", session.address, "gateway's control address, host:port (or FARSHORE_API)");
  app.add_option("-o,--output", session.output, "human or json")->check(CLI::IsMember({"human", "json"}));
  app.add_option("--timeout", session.timeout_s, "seconds after which any command is given up")
      ->check(CLI::Range(1, 3600));
  farshore::program::add_program_options(app, "control API v1 (of farshore-gateway)");
  add_link_commands(app, session);
  add_mirror_commands(app, session);
  add_offsets_commands(app, session);
  add_status_command(app, session);
  add_wait_command(app, session);
  farshore::program::add_completion_command(app);

  try {
    if (auto code = farshore::program::parse_command_line(app, argc, argv)) return *code;
  } catch (const CommandFailed& failed) {
    if (!failed.text.empty()) std::cerr << "farshore: " << failed.text << std::endl;
    return failed.exit_code;
  }
  return 0;
}
