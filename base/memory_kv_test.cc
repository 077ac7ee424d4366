#include "base/memory_kv.h"

#include <gtest/gtest.h>

#include "base/testing/manual_reactor.h"

namespace farshore {
namespace {

using Items = std::vector<std::pair<std::string, std::string>>;

std::string keys_of(const Result<Items>& items) {
  std::string keys;
  for (const auto& [key, value] : *items) keys += key;
  return keys;
}

Task<void> use(MemoryKv& kv, bool& done) {
  KvBatch batch;
  for (char c = 'a'; c <= 'h'; ++c) batch.put(std::string(1, c), std::string(2, c));
  batch.erase("b");
  batch.erase_range("d", "f");
  batch.put("e", "after the range");
  auto written = co_await kv.write(std::move(batch), Sync::kYes);
  EXPECT_TRUE(written);
  auto all = co_await kv.scan("", "", 100);
  EXPECT_EQ(keys_of(all), "acefgh");
  auto some = co_await kv.scan("c", "g", 2);
  EXPECT_EQ(keys_of(some), "ce");
  auto back = co_await kv.scan_reverse("c", "g", 100);
  EXPECT_EQ(keys_of(back), "fec");
  auto last = co_await kv.scan_reverse("", "", 1);
  EXPECT_EQ(keys_of(last), "h");
  auto found = co_await kv.get("e");
  EXPECT_EQ(found.value(), "after the range");
  auto none = co_await kv.get("d");
  EXPECT_FALSE(none.value().has_value());
  KvBatch high;
  high.put("\xff", "1");
  high.put("\x7f", "2");
  high.erase_range("a", "a");  // nothing
  auto more = co_await kv.write(std::move(high), Sync::kNo);
  EXPECT_TRUE(more);
  auto bytes = co_await kv.scan("h", "", 100);
  EXPECT_EQ(keys_of(bytes), "h\x7f\xff");
  done = true;
}

TEST(MemoryKv, KeysAreOrderedAsUnsignedBytes) {
  ManualReactor reactor;
  MemoryKv kv;
  bool done = false;
  start(reactor, use(kv, done));
  reactor.run();
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace farshore
