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
  if (!key.writer || key.stopped() || !key.behind() || env_.now() >= key.owned_until) return false;
  return env_.now() >= key.checkpoint_at || (key.failures == 0 && key.closed.size() >= options_.runs_per_batch_max);
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

// What waited of a key that another gateway has now: it is found at the target by that gateway.
Task<Status> JournalCheckpoints::drop_what_waited(JournalKey& key) {
  key.continue_at(offsets::Claims());
  if (!key.in_store) co_return ok();
  auto storing = co_await key.storing.lock();
  CO_CHECK(co_await store_.drop_unlogged(key.name));
  key.in_store = false;
  co_return ok();
}

// The local disk may have room again; what it refused is in the log, as is what another gateway wrote.
Task<void> JournalCheckpoints::read_image(JournalKey& key) {
  const LinkPartition name = key.name;
  if (key.lost) {
    auto dropped = co_await drop_what_waited(key);
    if (!dropped) co_return;
    LogImage::Done done = [&key] { key.image_behind = false; };
    (void)co_await image_.read_key(name, std::move(done), env_.in(options_.checkpoint_limit));  // or in the next round
    co_return;
  }
  auto read = co_await image_.read_key(name, nullptr, env_.in(options_.checkpoint_limit));
  if (read && key.in_store && !key.behind()) {
    auto storing = co_await key.storing.lock();
    read = co_await store_.all_logged(key.name);
    if (read) key.in_store = false;
  }
  if (read && key.image_behind) {
    key.image_behind = false;
    if (key.writer && key.writer->usable()) key.failure = {};
    env_.log().info("the map of a relayed partition is written down again",
                    {{"source_topic", key.name.source_topic.to_string()}, {"partition", key.name.partition.value()}});
  }
}

}  // namespace farshore::linker
