// net_proxy: a TCP proxy with adjustable network conditions, for tests and benchmarks.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/net_proxy/proxy.h"

namespace farshore::net_proxy {
namespace {

struct Arguments {
  std::string listen = "127.0.0.1:0", target;
  std::vector<std::string> now, later;
  uint64_t seed = 1;
  bool until_end = false;
};

Status run(const Arguments& arguments) {
  FARSHORE_TRY(Endpoint listen, Endpoint::parse(arguments.listen));
  FARSHORE_TRY(Endpoint target, Endpoint::parse(arguments.target));
  Proxy proxy(arguments.seed);
  for (const std::string& words : arguments.now) FARSHORE_CHECK(proxy.command(words));
  for (const std::string& words : arguments.later) {
    size_t space = std::min(words.find(' '), words.size());
    FARSHORE_TRY(Duration after, parse_duration(std::string_view(words).substr(0, space)));
    const std::string command = words.substr(std::min(space + 1, words.size()));
    NetworkConditions scratch;
    FARSHORE_CHECK(apply_command(command, scratch));
    proxy.later(after, command);
  }
  FARSHORE_CHECK(proxy.open(listen, target));
  std::printf("ready: proxy %s to %s seed %llu\n", proxy.local().to_string().c_str(), target.to_string().c_str(),
              static_cast<unsigned long long>(arguments.seed));
  std::fflush(stdout);
  proxy.run(/*commands=*/0, /*answers=*/1, arguments.until_end);
  return ok();
}

}  // namespace
}  // namespace farshore::net_proxy

int main(int argc, char** argv) {
  farshore::net_proxy::Arguments arguments;
  CLI::App app("A TCP proxy with network conditions: delay, bandwidth, cuts. Commands on stdin, answers on stdout.",
               "net_proxy");
  app.add_option("--listen", arguments.listen, "IPv4:PORT; port 0: a free one");
  app.add_option("--to", arguments.target, "IPv4:PORT of the target")->required();
  app.add_option("--set", arguments.now, "a command to begin with, e.g. 'rtt 100ms'; may be repeated");
  app.add_option("--at", arguments.later, "a time and a command, e.g. '5s cut'; may be repeated");
  app.add_option("--seed", arguments.seed, "of the jitter");
  app.add_flag("--until-eof", arguments.until_end, "end when stdin ends: for owners that may die");
  CLI11_PARSE(app, argc, argv);
  auto status = farshore::net_proxy::run(arguments);
  if (status) return 0;
  std::fprintf(stderr, "net_proxy: %s\n", status.error().to_string().c_str());
  return 2;
}
