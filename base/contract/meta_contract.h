// Contract of MetaStore (base/meta_store.h), run on open_kv_meta_store over the harness's KvOpener.
#pragma once

#include "base/contract/harness.h"
#include "base/meta_store.h"

namespace farshore::contract {
namespace meta_cases {

// A store in dir/meta, or a test failure and null.
inline Task<void> open_meta(Env& env, KvOpener& opener, std::string dir, std::unique_ptr<MetaStore>& into) {
  auto kv = co_await opener.open(join_path(dir, "meta"));
  CO_ASSERT_OK(kv);
  auto meta = co_await open_kv_meta_store(env, std::move(*kv));
  CO_ASSERT_OK(meta);
  into = std::move(*meta);
}

inline MetaTxn put_if(Compare condition, std::string value) {
  MetaTxn txn;
  std::string key = condition.key;
  txn.conditions.push_back(std::move(condition));
  txn.then.push_back(KvPut{std::move(key), std::move(value)});
  return txn;
}

inline Task<void> compare_and_set(Env& env, KvOpener& opener, std::string dir) {
  std::unique_ptr<MetaStore> meta;
  co_await open_meta(env, opener, dir, meta);
  CO_ASSERT(meta);
  MetaTxn txn1 = put_if(Compare::absent("k"), "1");
  auto created = co_await meta->commit(std::move(txn1), env.in(seconds(10)));
  CO_ASSERT_OK(created);
  EXPECT_TRUE(created->succeeded);
  EXPECT_EQ(created->revision, 1);
  MetaTxn txn2 = put_if(Compare::absent("k"), "2");
  auto again = co_await meta->commit(std::move(txn2), env.in(seconds(10)));
  CO_ASSERT_OK(again);
  EXPECT_FALSE(again->succeeded);
  EXPECT_EQ(again->revision, 1) << "a transaction that writes nothing does not raise the revision";
  MetaTxn txn3 = put_if(Compare::revision_is("k", 1), "2");
  auto updated = co_await meta->commit(std::move(txn3), env.in(seconds(10)));
  CO_ASSERT_OK(updated);
  EXPECT_TRUE(updated->succeeded);
  MetaTxn txn4 = put_if(Compare::revision_is("k", 1), "3");
  auto stale = co_await meta->commit(std::move(txn4), env.in(seconds(10)));
  CO_ASSERT_OK(stale);
  EXPECT_FALSE(stale->succeeded);
  MetaTxn txn5 = put_if(Compare::value_is("k", "2"), "3");
  auto by_value = co_await meta->commit(std::move(txn5), env.in(seconds(10)));
  CO_ASSERT_OK(by_value);
  EXPECT_TRUE(by_value->succeeded);
  EXPECT_EQ(by_value->revision, 3);
  MetaTxn txn6 = put_if(Compare::value_is("nobody", ""), "3");
  auto missing = co_await meta->commit(std::move(txn6), env.in(seconds(10)));
  CO_ASSERT_OK(missing);
  EXPECT_FALSE(missing->succeeded) << "an absent key has no value, not even the empty one";
  auto read = co_await meta->range("k", "", env.in(seconds(10)));
  CO_ASSERT_OK(read);
  CO_ASSERT(read->entries.size() == 1);
  EXPECT_EQ(read->revision, 3);
  EXPECT_EQ(read->entries[0].value, "3");
  EXPECT_EQ(read->entries[0].create_revision, 1);
  EXPECT_EQ(read->entries[0].mod_revision, 3);
}

inline Task<void> transactions_are_whole(Env& env, KvOpener& opener, std::string dir) {
  std::unique_ptr<MetaStore> meta;
  co_await open_meta(env, opener, dir, meta);
  CO_ASSERT(meta);
  MetaTxn fill;
  for (const char* key : {"t/a", "t/b", "t/c", "u/a"}) fill.then.push_back(KvPut{key, "x"});
  auto filled = co_await meta->commit(std::move(fill), env.in(seconds(10)));
  CO_ASSERT_OK(filled);
  EXPECT_EQ(filled->revision, 1) << "one revision for the whole transaction";
  MetaTxn half;  // one condition fails: nothing at all is applied
  half.conditions.push_back(Compare::value_is("t/a", "x"));
  half.conditions.push_back(Compare::absent("t/b"));
  half.then.push_back(KvDelete{"t/a"});
  auto refused = co_await meta->commit(std::move(half), env.in(seconds(10)));
  CO_ASSERT_OK(refused);
  EXPECT_FALSE(refused->succeeded);
  MetaTxn wipe;
  wipe.then.push_back(KvDeleteRange{"t/", prefix_end("t/")});
  wipe.then.push_back(KvPut{"t/b", "again"});
  auto wiped = co_await meta->commit(std::move(wipe), env.in(seconds(10)));
  CO_ASSERT_OK(wiped);
  auto all = co_await meta->range("t/", prefix_end("t/"), env.in(seconds(10)));
  CO_ASSERT_OK(all);
  CO_ASSERT(all->entries.size() == 1);
  EXPECT_EQ(all->entries[0].key, "t/b");
  EXPECT_EQ(all->entries[0].create_revision, 2) << "erased and put again in one transaction: a new entry";
  auto other = co_await meta->range("u/", prefix_end("u/"), env.in(seconds(10)));
  CO_ASSERT_OK(other);
  EXPECT_EQ(other->entries.size(), 1u);
}

inline Task<void> reopening_keeps_revisions(Env& env, KvOpener& opener, std::string dir) {
  {
    std::unique_ptr<MetaStore> meta;
    co_await open_meta(env, opener, dir, meta);
    CO_ASSERT(meta);
    for (int i = 0; i < 5; ++i) {
      MetaTxn txn;
      txn.then.push_back(KvPut{"k", std::to_string(i)});
      auto committed = co_await meta->commit(std::move(txn), env.in(seconds(10)));
      CO_ASSERT_OK(committed);
    }
  }
  std::unique_ptr<MetaStore> meta;
  co_await open_meta(env, opener, dir, meta);
  CO_ASSERT(meta);
  auto read = co_await meta->range("k", "", env.in(seconds(10)));
  CO_ASSERT_OK(read);
  EXPECT_EQ(read->revision, 5);
  CO_ASSERT(read->entries.size() == 1);
  EXPECT_EQ(read->entries[0].value, "4");
  EXPECT_EQ(read->entries[0].create_revision, 1);
  EXPECT_EQ(read->entries[0].mod_revision, 5);
}

inline Task<void> notice(Env& env, MetaStore& meta, int& noticed) {
  auto changed = co_await meta.changes().wait(env.in(seconds(20)));
  if (changed) ++noticed;
}

inline Task<void> writes_notify(Env& env, KvOpener& opener, std::string dir) {
  std::unique_ptr<MetaStore> meta;
  co_await open_meta(env, opener, dir, meta);
  CO_ASSERT(meta);
  Gate gate(env);
  int noticed = 0;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(spawn(gate, "watcher", notice(env, *meta, noticed)));
  co_await env.sleep(milliseconds(10));
  EXPECT_EQ(noticed, 0);
  MetaTxn txn7 = put_if(Compare::absent("k"), "1");
  auto committed = co_await meta->commit(std::move(txn7), env.in(seconds(10)));
  CO_ASSERT_OK(committed);
  co_await gate.close();
  EXPECT_EQ(noticed, 3);
}

inline Task<void> increment(Env& env, MetaStore& meta, int times) {
  for (int done = 0; done < times;) {
    auto read = co_await meta.range("counter", "", env.in(seconds(20)));
    CO_ASSERT_OK(read);
    const Revision seen = read->entries.empty() ? 0 : read->entries[0].mod_revision;
    const int value = read->entries.empty() ? 0 : std::stoi(read->entries[0].value);
    MetaTxn txn = put_if(Compare::revision_is("counter", seen), std::to_string(value + 1));
    auto committed = co_await meta.commit(std::move(txn), env.in(seconds(20)));
    CO_ASSERT_OK(committed);
    if (committed->succeeded) ++done;
  }
}

inline Task<void> concurrent_writers_lose_nothing(Env& env, KvOpener& opener, std::string dir) {
  std::unique_ptr<MetaStore> meta;
  co_await open_meta(env, opener, dir, meta);
  CO_ASSERT(meta);
  Gate gate(env);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(spawn(gate, "incrementer", increment(env, *meta, 5)));
  co_await gate.close();
  auto read = co_await meta->range("counter", "", env.in(seconds(10)));
  CO_ASSERT_OK(read);
  CO_ASSERT(read->entries.size() == 1);
  EXPECT_EQ(read->entries[0].value, "20");
  EXPECT_EQ(read->entries[0].mod_revision, 20);
}

}  // namespace meta_cases

inline Suite meta_contract() {
  namespace c = meta_cases;
  return {
      {"TransactionComparesBeforeItWrites",
       [](EnvHarness& h) { h.run(c::compare_and_set(h.env(), *h.kv(), h.scratch())); }},
      {"TransactionIsAppliedWholeOrNotAtAll",
       [](EnvHarness& h) { h.run(c::transactions_are_whole(h.env(), *h.kv(), h.scratch())); }},
      {"EntriesAndRevisionsSurviveReopening",
       [](EnvHarness& h) { h.run(c::reopening_keeps_revisions(h.env(), *h.kv(), h.scratch())); }},
      {"EveryWaiterIsNotifiedOfAWrite", [](EnvHarness& h) { h.run(c::writes_notify(h.env(), *h.kv(), h.scratch())); }},
      {"ConcurrentWritersLoseNoUpdate",
       [](EnvHarness& h) { h.run(c::concurrent_writers_lose_nothing(h.env(), *h.kv(), h.scratch())); }},
  };
}

}  // namespace farshore::contract
