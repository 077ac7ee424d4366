// bench_load: the loads of tests/bench. One JSON line about what was done on stdout.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/gate.h"
#include "base/real/env.h"
#include "tests/bench/load.h"
#include "tests/bench/tcp_load.h"

namespace farshore::bench {
namespace {

struct Arguments {
  std::string address, topic = "bench", compression = "none";
  int32_t partitions = 8;
  int in_flight = 4, connections = 2;
  uint64_t bytes = 1 << 30, records = 1;
  size_t write_bytes = 1 << 20;
  int64_t limit_s = 600;
  PayloadOptions payload;
};

void print(const Produced& produced) {
  const double took_s = std::chrono::duration<double>(produced.took).count();
  std::printf("{\"records\": %llu, \"value_bytes\": %llu, \"wire_bytes\": %llu, \"seconds\": %.3f}\n",
              static_cast<unsigned long long>(produced.records), static_cast<unsigned long long>(produced.value_bytes),
              static_cast<unsigned long long>(produced.wire_bytes), took_s);
}

Task<void> run_produce(RealEnv& env, Arguments arguments, TopicAt at, Status& status) {
  auto done = co_await produce(env, std::move(at), arguments.payload, arguments.bytes, arguments.in_flight);
  if (done)
    print(*done);
  else
    status = Status(done.error());
  env.stop();
}

Task<void> run_wait(RealEnv& env, Arguments arguments, TopicAt at, Status& status) {
  std::printf("ready: waiting\n");
  std::fflush(stdout);
  auto found = co_await wait_for_records(env, std::move(at), arguments.records, env.in(seconds(arguments.limit_s)));
  if (found)
    std::printf("{\"records\": %llu}\n", static_cast<unsigned long long>(*found));
  else
    status = Status(found.error());
  env.stop();
}

Status with_env(const Arguments& arguments, TopicAt at, bool producing) {
  RealEnvOptions quiet;
  quiet.log_level = LogLevel::kError;
  RealEnv env(quiet);
  Gate gate(env);
  Status status;
  if (producing)
    spawn(gate, "produce", run_produce(env, arguments, std::move(at), status));
  else
    spawn(gate, "wait", run_wait(env, arguments, std::move(at), status));
  env.run();
  return status;
}

Status run(const std::string& command, Arguments arguments) {
  FARSHORE_TRY(Endpoint at, Endpoint::parse(arguments.address));
  if (command == "pour") return pour(at, arguments.bytes, arguments.connections, arguments.write_bytes);
  if (command == "drain") {
    FARSHORE_TRY(uint64_t bytes, drain(at, arguments.connections));
    std::printf("{\"bytes\": %llu}\n", static_cast<unsigned long long>(bytes));
    return ok();
  }
  if (arguments.compression == "lz4") arguments.payload.compression = Compression::kLz4;
  TopicAt topic{at, arguments.topic, arguments.partitions};
  return with_env(arguments, std::move(topic), command == "produce");
}

}  // namespace
}  // namespace farshore::bench

int main(int argc, char** argv) {
  farshore::bench::Arguments arguments;
  CLI::App app("Loads for tests/bench.", "bench_load");
  app.require_subcommand(1);
  auto add = [&](const char* name, const char* about) {
    auto* command = app.add_subcommand(name, about);
    command->add_option("address", arguments.address, "HOST:PORT")->required();
    return command;
  };
  auto* produce = add("produce", "send prebuilt batches to a topic");
  produce->add_option("--bytes", arguments.bytes, "of batches, in all");
  produce->add_option("--batch-bytes", arguments.payload.batch_bytes, "of each batch");
  produce->add_option("--record-bytes", arguments.payload.record_bytes, "of each value");
  produce->add_option("--compression", arguments.compression, "none or lz4")->check(CLI::IsMember({"none", "lz4"}));
  produce->add_option("--in-flight", arguments.in_flight, "requests at a time");
  produce->add_option("--seed", arguments.payload.seed, "of the values");
  auto* wait = add("wait", "wait until a topic holds so many records");
  wait->add_option("--records", arguments.records, "in all partitions");
  wait->add_option("--limit-s", arguments.limit_s, "seconds, at most");
  for (auto* command : {produce, wait}) {
    command->add_option("--topic", arguments.topic, "its name");
    command->add_option("--partitions", arguments.partitions, "their number");
  }
  auto* pour = add("pour", "send bytes through plain connections");
  pour->add_option("--bytes", arguments.bytes, "in all");
  pour->add_option("--write-bytes", arguments.write_bytes, "of each write");
  auto* drain = add("drain", "take connections and read all they bring");
  for (auto* command : {pour, drain}) command->add_option("--connections", arguments.connections, "their number");
  CLI11_PARSE(app, argc, argv);
  auto status = farshore::bench::run(app.get_subcommands().front()->get_name(), arguments);
  if (status) return 0;
  std::fprintf(stderr, "bench_load: %s\n", status.error().to_string().c_str());
  return 1;
}
