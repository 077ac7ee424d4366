// farshore-example-consumer: a FailoverConsumer in a loop. One line for each record, `R <partition> <offset> <key>`,
// and one for each event, `E <text>` (also on stderr), in FILE or on stdout. Commits every 500 records and at the end.
#include <signal.h>

#include <farshore/failover_consumer.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

volatile sig_atomic_t g_stop = 0;
void on_signal(int) { g_stop = 1; }

constexpr const char* kUsage =
    "farshore-example-consumer --source HOST:PORT --target HOST:PORT --group GROUP --topic TOPIC [--topic ...]\n"
    "  [--prefix P] [--source-lost-ms N] [--out FILE] [--idle-exit-ms N]\n"
    "  --idle-exit-ms: end with 0 when no record came for so long after the failover\n";

void event_line(const std::string& text) {
  std::printf("E %s\n", text.c_str());
  std::fprintf(stderr, "E %s\n", text.c_str());
}

int fail(const std::string& text) {
  std::fprintf(stderr, "farshore-example-consumer: %s\n", text.c_str());
  return 2;
}

int run(farshore::FailoverConsumerConfig config, std::chrono::milliseconds idle_exit) {
  using Kind = farshore::FailoverConsumer::Polled::Kind;
  using Clock = std::chrono::steady_clock;
  farshore::Problem problem;
  auto consumer = farshore::FailoverConsumer::open(std::move(config), problem);
  if (!consumer) return fail(problem.text);
  auto last = Clock::now(), flushed = last;
  int uncommitted = 0, result = 0;
  std::string last_problem;
  while (!g_stop) {
    auto polled = consumer->poll(std::chrono::milliseconds(100));
    const auto now = Clock::now();
    if (polled.kind == Kind::kRecord) {
      last = now;
      const std::string key = polled.record.key.value_or("-");
      std::printf("R %d %lld %s\n", polled.record.partition, static_cast<long long>(polled.record.offset), key.c_str());
      if (++uncommitted >= 500) {
        uncommitted = 0;
        if (auto bad = consumer->commit()) event_line(bad.text);
      }
    } else if (polled.kind == Kind::kEvent) {
      last = now;
      event_line(polled.event.text);
      for (const auto& p : polled.event.partitions)
        event_line(p.topic + "[" + std::to_string(p.partition) + "] failover offset " +
                   std::to_string(p.failover_offset) + ", position " + std::to_string(p.position) + ", continued at " +
                   std::to_string(p.continued_at) + ", consumed but lost " + std::to_string(p.consumed_but_lost) +
                   ", committed at " + std::to_string(p.committed_at) + (p.committed ? "" : " (not yet)"));
    } else if (polled.kind == Kind::kProblem) {
      if (polled.problem.text != last_problem) event_line(last_problem = polled.problem.text);
      if (polled.problem.fatal) {
        result = 1;
        break;
      }
    }
    if (now - flushed >= std::chrono::milliseconds(150) || polled.kind != Kind::kRecord) {
      std::fflush(stdout);
      flushed = now;
    }
    if (idle_exit.count() > 0 && consumer->at_target() && now - last >= idle_exit) break;
  }
  if (uncommitted > 0)
    if (auto bad = consumer->commit()) event_line(bad.text);
  consumer->close();
  std::fflush(stdout);
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  farshore::FailoverConsumerConfig config;
  long idle_exit_ms = 0;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--help") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    if (i + 1 >= argc) return fail(name + " needs a value\n" + kUsage);
    const std::string value = argv[i + 1];
    char* end = nullptr;
    const long number = std::strtol(value.c_str(), &end, 10);
    const bool is_number = !value.empty() && *end == 0 && number > 0;
    if (name == "--source")
      config.source = value;
    else if (name == "--target")
      config.target = value;
    else if (name == "--group")
      config.group = value;
    else if (name == "--topic")
      config.topics.push_back(value);
    else if (name == "--prefix")
      config.prefix = value;
    else if (name == "--source-lost-ms" && is_number)
      config.source_lost_after = std::chrono::milliseconds(number);
    else if (name == "--idle-exit-ms" && is_number)
      idle_exit_ms = number;
    else if (name == "--out") {
      if (!std::freopen(value.c_str(), "w", stdout)) return fail(value + ": " + std::strerror(errno));
    } else
      return fail(name + " " + value + ": not understood\n" + kUsage);
  }
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  return run(std::move(config), std::chrono::milliseconds(idle_exit_ms));
}
