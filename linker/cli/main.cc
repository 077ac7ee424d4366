// farshore: the command line of the gateway.
#include <cstdlib>
#include <iostream>

#include "linker/cli/session.h"

int main(int argc, char** argv) {
  using namespace farshore::cli;
  Session session;
  if (const char* address = std::getenv("FARSHORE_API")) session.address = address;

  CLI::App app{"Links Kafka-protocol log clusters: the same bytes, at the same offsets, on the far shore."};
  app.name("farshore");
  app.require_subcommand(1);
  app.fallthrough();  // --api and -o may stand anywhere
  app.add_option("--api", session.address, "gateway's control address, host:port (or FARSHORE_API)");
  app.add_option("-o,--output", session.output, "human or json")->check(CLI::IsMember({"human", "json"}));
  app.add_option("--timeout", session.timeout_s, "seconds after which any command is given up")
      ->check(CLI::Range(1, 3600));
  add_link_commands(app, session);
  add_mirror_commands(app, session);
  add_offsets_commands(app, session);
  add_status_command(app, session);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    int code = app.exit(error);
    return code == 0 ? 0 : 2;
  } catch (const CommandFailed& failed) {
    if (!failed.text.empty()) std::cerr << "farshore: " << failed.text << std::endl;
    return failed.exit_code;
  }
  return 0;
}
