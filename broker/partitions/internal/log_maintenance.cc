#include "broker/partitions/internal/log_maintenance.h"

#include <utility>

#include "base/turn_budget.h"

namespace farshore::broker {
namespace {

constexpr size_t kLookBytes = 16 << 10;  // what a look at one log counts in a TurnBudget

}  // namespace

LogMaintenance::LogMaintenance(Env& env, const PartitionOptions& options, Partitions all, Partitions compacted)
    : env_(env),
      options_(options),
      all_(std::move(all)),
      compacted_(std::move(compacted)),
      stopping_(env),
      gate_(env) {}

void LogMaintenance::start() {
  spawn(gate_, "retention", repeat(options_.retention_check, &LogMaintenance::apply_retention));
  if (options_.cleaner_enabled) spawn(gate_, "cleaner", repeat(options_.cleaner_backoff, &LogMaintenance::clean));
  if (options_.flush_interval > Duration::zero())
    spawn(gate_, "flush", repeat(options_.flush_interval, &LogMaintenance::flush));
}

Task<void> LogMaintenance::stop() {
  stopping_.set();
  co_await gate_.close();
}

Task<void> LogMaintenance::repeat(Duration interval, Task<void> (LogMaintenance::*round)()) {
  for (;;) {
    auto stopped = co_await stopping_.wait(env_.in(interval));
    if (stopped) co_return;
    co_await (this->*round)();
  }
}

Task<void> LogMaintenance::apply_retention() {
  TurnBudget turn(env_);  // a log without work does not suspend, and there may be ten thousand of them
  for (const auto& partition : all_()) {
    if (turn.spend(kLookBytes)) co_await turn.next_turn();
    if (stopping_.is_set()) break;
    if (skip(*partition)) continue;
    auto removed = co_await partition->log().apply_retention();
    if (!removed)
      report("retention failed", *partition, removed.error());
    else if (*removed > 0)
      partition->changed();
  }
}

Task<void> LogMaintenance::clean() {
  TurnBudget turn(env_);
  for (const auto& partition : compacted_()) {
    if (turn.spend(kLookBytes)) co_await turn.next_turn();
    if (stopping_.is_set()) break;
    if (skip(*partition)) continue;
    auto cleaned = co_await partition->log().clean();
    if (!cleaned) report("cleaning failed", *partition, cleaned.error());
  }
}

Task<void> LogMaintenance::flush() {
  TurnBudget turn(env_);
  for (const auto& partition : all_()) {
    if (turn.spend(kLookBytes)) co_await turn.next_turn();
    if (stopping_.is_set()) break;
    LogEnds ends = partition->ends();
    if (skip(*partition) || ends.flushed_end >= ends.end) continue;
    auto flushed = co_await partition->log().flush();
    if (!flushed) report("flush failed", *partition, flushed.error());
  }
}

void LogMaintenance::report(const char* message, const Partition& partition, const Error& error) {
  env_.log().error(message, {{"topic", partition.topic()}, {"partition", partition.partition()}, {"error", error}});
}

}  // namespace farshore::broker
