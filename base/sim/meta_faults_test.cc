#include "base/sim/meta_faults.h"

#include <gtest/gtest.h>

#include "base/contract/meta_contract.h"
#include "base/sim/world.h"

namespace farshore::sim {
namespace {

using contract::meta_cases::put_if;

Task<void> wrap(SimEnv& env, MetaFaultRates rates, std::unique_ptr<SimMetaFaults>& into) {
  std::unique_ptr<MetaStore> inner;
  co_await contract::meta_cases::open_meta(env, env.kv(), "/meta", inner);
  CO_ASSERT(inner);
  into = std::make_unique<SimMetaFaults>(env, std::move(inner), rates);
}

struct Tally {
  int succeeded = 0, lost_race = 0, ambiguous = 0, timed_out = 0, unavailable = 0;
};

// One counter, raised by compare-and-set; an ambiguous answer is decided by reading again, as callers must.
Task<void> count_up(SimEnv& env, MetaStore& meta, int target, Tally& tally) {
  for (int value = 0; value < target;) {
    auto read = co_await meta.range("n", "", env.in(seconds(2)));
    if (!read) {
      EXPECT_ERROR(read, ErrorCode::kUnavailable);
      continue;
    }
    const Revision seen = read->entries.empty() ? 0 : read->entries[0].mod_revision;
    const int found = read->entries.empty() ? 0 : std::stoi(read->entries[0].value);
    EXPECT_GE(found, value) << "an acknowledged commit was lost";
    value = found;
    if (value >= target) break;
    MetaTxn txn = put_if(Compare::revision_is("n", seen), std::to_string(value + 1));
    auto reply = co_await meta.commit(std::move(txn), env.in(seconds(2)));
    if (reply) {
      (reply->succeeded ? tally.succeeded : tally.lost_race)++;
      if (reply->succeeded) ++value;
    } else if (reply.error() == ErrorCode::kAmbiguous) {
      ++tally.ambiguous;
    } else if (reply.error() == ErrorCode::kTimedOut) {
      ++tally.timed_out;
    } else {
      EXPECT_ERROR(reply, ErrorCode::kUnavailable);
      ++tally.unavailable;
    }
  }
}

TEST(SimMetaFaults, InjectedFaultsLoseNoAcknowledgedCommit) {
  MetaFaultRates rates;
  rates.ambiguous = rates.unavailable = 0.1;
  rates.timed_out = 0.05;
  SimWorld world({.seed = 11, .buggify = false});
  SimEnv& env = world.start_process("east-1", "test");
  std::unique_ptr<SimMetaFaults> meta;
  ASSERT_TRUE(world.run(env, wrap(env, rates, meta), seconds(10)));
  ASSERT_TRUE(meta);
  Tally tally;
  EXPECT_TRUE(world.run(env, count_up(env, *meta, 300, tally), hours(1)));
  EXPECT_GT(tally.ambiguous, 5);
  EXPECT_GT(tally.timed_out, 2);
  EXPECT_GT(tally.unavailable, 5);
  EXPECT_LT(tally.succeeded, 300) << "some ambiguous commits must have been applied";
  EXPECT_GE(tally.succeeded + tally.ambiguous + tally.timed_out, 300);
  EXPECT_GE(meta->injected(), static_cast<uint64_t>(tally.ambiguous + tally.timed_out + tally.unavailable));
}

Task<void> watch(SimEnv& env, MetaStore& meta, int& noticed) {
  for (;;) {
    auto changed = co_await meta.changes().wait(Deadline::never());
    if (!changed) co_return;
    ++noticed;
    (void)env;
  }
}

Task<void> commit_spaced(SimEnv& env, MetaStore& meta, int times) {
  for (int i = 0; i < times; ++i) {
    MetaTxn txn;
    txn.then.push_back(KvPut{"k", std::to_string(i)});
    EXPECT_TRUE(co_await meta.commit(std::move(txn), env.in(seconds(5))));
    co_await env.sleep(seconds(1));
  }
}

TEST(SimMetaFaults, NotificationsMayComeLateOrTwiceButAreNeverLost) {
  MetaFaultRates rates;
  rates.ambiguous = rates.unavailable = rates.timed_out = rates.notify_for_nothing = 0;
  rates.notify_late = rates.notify_twice = 0.5;
  SimWorld world({.seed = 12, .buggify = false});
  SimEnv& env = world.start_process("east-1", "test");
  std::unique_ptr<SimMetaFaults> meta;
  ASSERT_TRUE(world.run(env, wrap(env, rates, meta), seconds(10)));
  int noticed = 0;
  world.spawn(env, watch(env, *meta, noticed));
  EXPECT_TRUE(world.run(env, commit_spaced(env, *meta, 20), minutes(5)));
  EXPECT_GT(noticed, 20);
  EXPECT_LE(noticed, 40);
  meta.reset();
  world.run_for(seconds(5));  // the relay has ended with it
}

TEST(SimMetaFaults, StoreThatIsDownIsUnavailable) {
  SimWorld world({.seed = 13, .buggify = false});
  SimEnv& env = world.start_process("east-1", "test");
  std::unique_ptr<SimMetaFaults> meta;
  ASSERT_TRUE(world.run(env, wrap(env, MetaFaultRates(), meta), seconds(10)));
  meta->set_down(true);
  struct Try {
    static Task<void> run(SimEnv& env, MetaStore& meta, ErrorCode wanted) {
      auto read = co_await meta.range("k", "", env.in(seconds(1)));
      EXPECT_ERROR(read, wanted);
    }
  };
  EXPECT_TRUE(world.run(env, Try::run(env, *meta, ErrorCode::kUnavailable), seconds(10)));
  world.kill(env);  // with the relay suspended
  meta.reset();
}

}  // namespace
}  // namespace farshore::sim
