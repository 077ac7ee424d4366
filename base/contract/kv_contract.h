// Contract of KvStore and KvOpener (base/kv.h). The harness must bring a KvOpener.
#pragma once

#include "base/contract/harness.h"
#include "base/kv.h"

namespace farshore::contract {
namespace kv_cases {

using Items = std::vector<std::pair<std::string, std::string>>;

inline Task<Status> put(KvStore& kv, std::string key, std::string value, Sync sync = Sync::kNo) {
  KvBatch batch;
  batch.put(std::move(key), std::move(value));
  co_return co_await kv.write(std::move(batch), sync);
}

inline Task<void> get_finds_what_was_put(KvOpener& opener, std::string dir) {
  auto opened = co_await opener.open(join_path(dir, "kv"));
  CO_ASSERT_OK(opened);
  KvStore& kv = **opened;
  auto none = co_await kv.get("a");
  CO_ASSERT_OK(none);
  EXPECT_FALSE(none->has_value());
  const std::string binary("\x00\xff key", 6), large = pattern(300'000, 3);
  EXPECT_TRUE(co_await put(kv, "a", "1"));
  EXPECT_TRUE(co_await put(kv, binary, large, Sync::kYes));
  EXPECT_TRUE(co_await put(kv, "empty", ""));
  EXPECT_EQ((co_await kv.get("a")).value(), "1");
  EXPECT_TRUE((co_await kv.get(binary)).value() == large);
  EXPECT_EQ((co_await kv.get("empty")).value(), "");
  EXPECT_TRUE(co_await put(kv, "a", "2"));
  EXPECT_EQ((co_await kv.get("a")).value(), "2");
}

inline Task<void> fill_letters(KvStore& kv) {
  KvBatch batch;
  for (char c = 'a'; c <= 'j'; ++c) batch.put(std::string(1, c), std::string(2, c));
  auto written = co_await kv.write(std::move(batch), Sync::kNo);
  EXPECT_TRUE(written);
}

inline std::string keys_of(const Items& items) {
  std::string keys;
  for (const auto& [key, value] : items) {
    keys += key;
    EXPECT_EQ(value, key + key);
  }
  return keys;
}

inline Task<void> scans_are_ordered_and_bounded(KvOpener& opener, std::string dir) {
  auto opened = co_await opener.open(join_path(dir, "kv"));
  CO_ASSERT_OK(opened);
  KvStore& kv = **opened;
  co_await fill_letters(kv);
  EXPECT_EQ(keys_of((co_await kv.scan("c", "g", 100)).value()), "cdef");
  EXPECT_EQ(keys_of((co_await kv.scan("c", "g", 2)).value()), "cd");
  EXPECT_EQ(keys_of((co_await kv.scan("", "", 100)).value()), "abcdefghij");
  EXPECT_EQ(keys_of((co_await kv.scan("h", "", 100)).value()), "hij");
  EXPECT_EQ(keys_of((co_await kv.scan("bb", "bz", 100)).value()), "");
  EXPECT_EQ(keys_of((co_await kv.scan_reverse("c", "g", 100)).value()), "fedc");
  EXPECT_EQ(keys_of((co_await kv.scan_reverse("c", "g", 3)).value()), "fed");
  EXPECT_EQ(keys_of((co_await kv.scan_reverse("", "", 2)).value()), "ji");
  EXPECT_EQ(keys_of((co_await kv.scan_reverse("g", "", 100)).value()), "jihg");
}

inline Task<void> order_is_of_unsigned_bytes(KvOpener& opener, std::string dir) {
  auto opened = co_await opener.open(join_path(dir, "kv"));
  CO_ASSERT_OK(opened);
  for (const char* key : {"\x7f", "\x80", "\xff", "a"}) EXPECT_TRUE(co_await put(**opened, key, "x"));
  auto items = co_await (*opened)->scan("", "", 10);
  CO_ASSERT_OK(items);
  std::string keys;
  for (const auto& [key, value] : *items) keys += key;
  EXPECT_EQ(keys, "a\x7f\x80\xff");
}

inline Task<void> batches_apply_in_order(KvOpener& opener, std::string dir) {
  auto opened = co_await opener.open(join_path(dir, "kv"));
  CO_ASSERT_OK(opened);
  KvStore& kv = **opened;
  co_await fill_letters(kv);
  KvBatch batch;
  batch.erase("a");
  batch.put("a", "aa");         // back again
  batch.erase_range("c", "f");  // c, d, e
  batch.put("d", "dd");         // after the range: stays
  batch.put("k", "kk");
  batch.erase_range("i", "z");  // i, j, and the k just put
  batch.erase("nobody");
  auto written = co_await kv.write(std::move(batch), Sync::kYes);
  CO_ASSERT_OK(written);
  EXPECT_EQ(keys_of((co_await kv.scan("", "", 100)).value()), "abdfgh");
  EXPECT_EQ(keys_of((co_await kv.scan_reverse("", "", 100)).value()), "hgfdba");
  EXPECT_FALSE((co_await kv.get("e")).value().has_value());
}

inline Task<void> contents_survive_reopening(KvOpener& opener, std::string dir) {
  const std::string path = join_path(dir, "kv");
  {
    auto opened = co_await opener.open(path);
    CO_ASSERT_OK(opened);
    co_await fill_letters(**opened);
    KvBatch batch;
    batch.erase_range("b", "e");
    auto written = co_await (*opened)->write(std::move(batch), Sync::kNo);
    CO_ASSERT_OK(written);
  }
  auto opened = co_await opener.open(path);
  CO_ASSERT_OK(opened);
  EXPECT_EQ(keys_of((co_await (*opened)->scan("", "", 100)).value()), "aefghij");
}

inline Task<void> a_store_has_one_owner(KvOpener& opener, std::string dir) {
  const std::string path = join_path(dir, "kv");
  auto first = co_await opener.open(path);
  CO_ASSERT_OK(first);
  auto second = co_await opener.open(path);
  EXPECT_ERROR(second, ErrorCode::kAlreadyExists);
  auto elsewhere = co_await opener.open(join_path(dir, "kv2"));
  CO_ASSERT_OK(elsewhere);
  EXPECT_TRUE(co_await put(**elsewhere, "x", "y"));
  EXPECT_FALSE((co_await (*first)->get("x")).value().has_value());
}

inline Task<void> many_writes_scan_in_pages(KvOpener& opener, std::string dir) {
  auto opened = co_await opener.open(join_path(dir, "kv"));
  CO_ASSERT_OK(opened);
  KvStore& kv = **opened;
  for (int i = 0; i < 40; ++i) {
    KvBatch batch;
    for (int j = 0; j < 25; ++j) batch.put("key" + std::to_string(100'000 + i * 25 + j), std::to_string(i * 25 + j));
    auto written = co_await kv.write(std::move(batch), Sync::kNo);
    CO_ASSERT_OK(written);
  }
  std::string from;
  int seen = 0;
  for (;;) {
    auto page = co_await kv.scan(from, "", 64);
    CO_ASSERT_OK(page);
    if (page->empty()) break;
    for (const auto& [key, value] : *page) EXPECT_EQ(value, std::to_string(seen++));
    from = page->back().first + '\0';
  }
  EXPECT_EQ(seen, 1000);
}

}  // namespace kv_cases

inline Suite kv_contract() {
  namespace c = kv_cases;
  return {
      {"GetReturnsTheStoredValue", [](EnvHarness& h) { h.run(c::get_finds_what_was_put(*h.kv(), h.scratch())); }},
      {"ScansAreOrderedAndBounded",
       [](EnvHarness& h) { h.run(c::scans_are_ordered_and_bounded(*h.kv(), h.scratch())); }},
      {"KeysAreOrderedAsUnsignedBytes",
       [](EnvHarness& h) { h.run(c::order_is_of_unsigned_bytes(*h.kv(), h.scratch())); }},
      {"BatchIsAppliedWholeAndInOrder", [](EnvHarness& h) { h.run(c::batches_apply_in_order(*h.kv(), h.scratch())); }},
      {"ContentsSurviveReopening", [](EnvHarness& h) { h.run(c::contents_survive_reopening(*h.kv(), h.scratch())); }},
      {"OpenStoreCannotBeOpenedAgain", [](EnvHarness& h) { h.run(c::a_store_has_one_owner(*h.kv(), h.scratch())); }},
      {"LargeStoreIsScannedInPages", [](EnvHarness& h) { h.run(c::many_writes_scan_in_pages(*h.kv(), h.scratch())); }},
  };
}

}  // namespace farshore::contract
