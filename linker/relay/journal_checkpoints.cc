#include "linker/relay/journal_checkpoints.h"

#include <algorithm>

namespace farshore::linker {
namespace {

constexpr Duration kLookEvery = milliseconds(100);  // while something waits

}  // namespace

JournalCheckpoints::JournalCheckpoints(Env& env, offsets::TranslationStore& store, const RelayJournalOptions& options,
                                       LogImage& image, JournalWriter& writer, const Keys& keys, Notifier& idle)
    : env_(env),
      store_(store),
      options_(options),
      image_(image),
      writer_(writer),
      keys_(keys),
      idle_(idle),
      wake_(env),
      gate_(env) {}

void JournalCheckpoints::start() { spawn(gate_, "relay journal", run()); }

Task<void> JournalCheckpoints::stop() {
  stopping_ = true;
  wake_.close();
  co_await gate_.close();
}

bool JournalCheckpoints::anything_behind() const {
  return std::any_of(keys_.begin(), keys_.end(), [](const auto& each) {
    return (each.second->behind() && !each.second->stopped()) || each.second->image_behind;
  });
}

bool JournalCheckpoints::due(const JournalKey& key) const {
  if (key.busy) return false;
  if (key.image_behind) return env_.now() >= key.checkpoint_at;
  if (!key.writer || key.stopped() || !key.behind()) return false;
  return env_.now() >= key.checkpoint_at || key.closed.size() >= options_.runs_per_batch_max;
}

void JournalCheckpoints::start_due_work() {
  for (const auto& entry : keys_) {
    if (in_flight_ >= options_.writes_in_flight_max) return;
    JournalKey& key = *entry.second;
    if (!due(key)) continue;
    key.checkpoint_at = env_.now() + options_.checkpoint_every;
    JournalTurn turn(env_, idle_, entry.second);
    ++in_flight_;
    const bool started = key.image_behind ? spawn(gate_, "relay image", repair_image(std::move(turn)))
                                          : spawn(gate_, "relay checkpoint", checkpoint(std::move(turn)));
    if (!started) return;  // the journal stops
  }
}

Task<void> JournalCheckpoints::run() {
  while (!stopping_) {
    const bool behind = anything_behind();
    start_due_work();
    (void)co_await wake_.wait(behind ? env_.in(kLookEvery) : Deadline::never());
  }
}

Task<void> JournalCheckpoints::checkpoint(JournalTurn given) {
  {
    const JournalTurn turn = std::move(given);  // ends before the loop is woken
    while (!stopping_ && !turn->stopped() && turn->behind()) {
      auto written = co_await writer_.write_pending(*turn, env_.in(options_.checkpoint_limit));
      if (!written || turn->closed.size() < options_.runs_per_batch_max) break;
    }
  }
  --in_flight_;
  wake_.notify();
}

Task<void> JournalCheckpoints::repair_image(JournalTurn given) {
  {
    const JournalTurn turn = std::move(given);
    co_await read_image(*turn);
  }
  --in_flight_;
  wake_.notify();
}

// The local disk may have room again; what it refused is in the log.
Task<void> JournalCheckpoints::read_image(JournalKey& key) {
  const LinkPartition name = key.name;
  auto read = co_await image_.read_key(name, env_.in(options_.checkpoint_limit));
  if (read && key.in_store && !key.behind()) {
    auto storing = co_await key.storing.lock();
    read = co_await store_.all_logged(key.name);
    if (read) key.in_store = false;
  }
  if (read && key.image_behind) {
    key.image_behind = false;
    if (key.writer) key.failure = {};
    env_.log().info("the map of a relayed partition is written down again",
                    {{"source_topic", key.name.source_topic.to_string()}, {"partition", key.name.partition.value()}});
  }
}

}  // namespace farshore::linker
