// Fetch over the network: long polls, byte limits, sessions.
#include <gtest/gtest.h>

#include "base/sim/net.h"
#include "broker/handlers/internal/partition_fetch.h"
#include "broker/handlers/testing/data_client.h"
#include "proto/kafka/messages/delete_topics.h"

namespace farshore::broker {
namespace {

Task<void> produces_after(TestCluster& cluster, Duration wait, int32_t partition) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  co_await cluster.client().sleep(wait);
  (void)co_await client.produce("t", partition, batch(1));
}

Task<void> long_poll(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 3));
  auto both = fetch_request({at("t", 0, 0), at("t", 1, 0)}, 5000);
  MonoTime begun = cluster.client().now();
  auto nothing = co_await client.call(both, 12);
  FARSHORE_CO_REQUIRE(nothing);
  EXPECT_GE(cluster.client().now() - begun, seconds(5)) << "held back for max_wait";

  cluster.world().spawn(static_cast<sim::SimEnv&>(cluster.client()), produces_after(cluster, seconds(1), 1));
  begun = cluster.client().now();
  auto woken = co_await client.call(both, 12);
  FARSHORE_CO_REQUIRE(woken && woken->responses.size() == 1 && woken->responses[0].partitions.size() == 2);
  EXPECT_GE(cluster.client().now() - begun, seconds(1));
  EXPECT_LT(cluster.client().now() - begun, seconds(4)) << "woken by the second of two partitions";
  EXPECT_GT(woken->responses[0].partitions[1].records.size(), 0u);

  // min_bytes: one batch is not enough.
  auto more = fetch_request({at("t", 2, 0)}, 3000, 1000);
  cluster.world().spawn(static_cast<sim::SimEnv&>(cluster.client()), produces_after(cluster, seconds(1), 2));
  begun = cluster.client().now();
  auto late = co_await client.call(more, 12);
  FARSHORE_CO_REQUIRE(late);
  EXPECT_GE(cluster.client().now() - begun, seconds(3));
  EXPECT_GT(late->responses[0].partitions[0].records.size(), 0u) << "what is there is given at the end";

  // An error is not held back.
  auto wrong = fetch_request({at("t", 0, 0), at("t", 1, 99)}, 5000);
  begun = cluster.client().now();
  auto failed = co_await client.call(wrong, 12);
  FARSHORE_CO_REQUIRE(failed);
  EXPECT_LT(cluster.client().now() - begun, seconds(3));
}

Task<void> deletes_after(TestCluster& cluster, Duration wait, std::string topic) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.connect(TestCluster::endpoint()));
  co_await cluster.client().sleep(wait);
  kafka::DeleteTopicsRequest request;
  request.timeout_ms = 5000;
  request.topic_names = {topic};
  EXPECT_TRUE(co_await client.call(std::move(request), 5));
}

Task<void> unknown_beside_others(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  FARSHORE_CO_REQUIRE(co_await client.make("other", 1));
  for (const std::string& topic : {std::string("absent"), std::string("t")}) {  // no such topic, no such partition
    auto beside = fetch_request({at("t", 0, 0), at(topic, 7, 0)}, 5000);
    MonoTime begun = cluster.client().now();
    auto late = co_await client.call(beside, 12);
    FARSHORE_CO_REQUIRE(late);
    EXPECT_GE(cluster.client().now() - begun, seconds(5)) << "the others are waited for";
    EXPECT_EQ(late->responses.back().partitions.back().error_code, wire_code(Code::kUnknownTopicOrPartition));
  }
  auto alone = fetch_request({at("absent", 0, 0)}, 5000);
  MonoTime begun = cluster.client().now();
  auto at_once = co_await client.call(alone, 12);
  FARSHORE_CO_REQUIRE(at_once);
  EXPECT_LT(cluster.client().now() - begun, seconds(3)) << "there is nothing to wait for";

  // One that is deleted during the wait is told at once.
  cluster.world().spawn(static_cast<sim::SimEnv&>(cluster.client()), deletes_after(cluster, seconds(1), "other"));
  auto both = fetch_request({at("t", 0, 0), at("other", 0, 0)}, 60000);
  begun = cluster.client().now();
  auto deleted = co_await client.call(both, 12);
  FARSHORE_CO_REQUIRE(deleted && deleted->responses.size() == 2);
  EXPECT_LT(cluster.client().now() - begun, seconds(10));
  EXPECT_EQ(deleted->responses[1].partitions[0].error_code, wire_code(Code::kUnknownTopicOrPartition));
}

TEST(Fetch, UnknownPartitionIsNotAnsweredBeforeTheOthersUnlessItIsAlone) {
  for (uint64_t seed = 610; seed < 615; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TestCluster cluster(seed);
    cluster.start();
    cluster.run(unknown_beside_others(cluster));
  }
}

Task<void> lags_with_large_min_bytes(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 2, configs("segment.bytes", "5000")));
  for (int32_t partition = 0; partition < 2; ++partition)
    for (int i = 0; i < 8; ++i)
      EXPECT_EQ((co_await client.produce("t", partition, batch(2, std::string(1000, 'x')))).error_code, 0);
  struct Case {
    std::string name;
    std::vector<Asked> asked;
    int32_t bytes_max;
  };
  const std::vector<Case> cases = {{"the answer is full", {at("t", 0, 0), at("t", 1, 0)}, 3000},
                                   {"the partition's part is full", {at("t", 0, 0, 3000)}, 1 << 20},
                                   {"the segment ends, and another one follows", {at("t", 0, 0)}, 1 << 20}};
  for (const auto& each : cases) {
    auto request = fetch_request(each.asked, 60000, 1 << 20);
    request.max_bytes = each.bytes_max;
    const MonoTime begun = cluster.client().now();
    auto answered = co_await client.call(request, 12);
    FARSHORE_CO_REQUIRE(answered);
    EXPECT_LT(cluster.client().now() - begun, seconds(10)) << each.name;
  }
}

TEST(Fetch, MoreThanFitsIsNotWaitedForHoweverLargeMinBytesIs) {
  TestCluster cluster(14);
  cluster.start();
  cluster.run(lags_with_large_min_bytes(cluster));
}

TEST(Fetch, SessionLooksOnlyAtPartitionsThatMoved) {
  TestCluster cluster(15);
  cluster.start();
  auto make = [](TestCluster& c) -> Task<void> {
    DataClient client(c);
    FARSHORE_CO_REQUIRE(co_await client.ready("t", 3));
  };
  cluster.run(make(cluster));
  FetchSession session;
  for (int32_t partition = 0; partition < 3; ++partition) {
    FetchTarget target;
    target.topic = "t";
    target.partition = partition;
    session.put(std::move(target));
  }
  int woken = 0;
  session.on_wake([&] { ++woken; });
  PartitionFetch reader(cluster.services(), session, false, false);
  while (!session.due().empty()) {
    EXPECT_EQ(reader.look(session.due().begin()).error, Code::kNone);
    session.settle(session.due().begin());
  }
  EXPECT_EQ(session.idle().size(), 3u);
  cluster.partition("t", 1)->changed();
  EXPECT_EQ(woken, 1);
  ASSERT_EQ(session.due().size(), 1u);
  auto moved = session.due().begin();
  EXPECT_EQ(moved->partition, 1);
  session.settle(moved);
  EXPECT_EQ(session.due().size(), 1u) << "it moved, and nobody has looked at it";
  (void)reader.look(moved);
  cluster.partition("t", 1)->changed();  // meanwhile
  session.settle(moved);
  EXPECT_EQ(session.due().size(), 1u);
  session.forget(*moved);
  cluster.partition("t", 1)->changed();
  EXPECT_EQ(session.due().size(), 0u);
}

TEST(Fetch, LongPollEndsWithDataAtItsDeadlineOrWithAnError) {
  for (uint64_t seed = 600; seed < 610; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TestCluster cluster(seed);
    cluster.start();
    cluster.run(long_poll(cluster));
  }
}

Task<void> limits(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 3));
  size_t size = 0;
  for (int32_t partition = 0; partition < 3; ++partition) {
    for (int i = 0; i < 4; ++i) {
      Batch records = batch(2, std::string(500, 'x'));
      size = records.size();
      EXPECT_EQ((co_await client.produce("t", partition, records)).error_code, 0);
    }
  }
  const auto n = static_cast<int32_t>(size);
  auto tiny = co_await client.fetch_one(at("t", 0, 0, 1));
  EXPECT_EQ(tiny.records.size(), size) << "at least one batch, so that nobody is stuck";
  auto two = co_await client.fetch_one(at("t", 0, 0, 2 * n + 10));
  EXPECT_EQ(two.records.size(), 2 * size);
  auto middle = co_await client.fetch_one(at("t", 0, 3, 1));
  EXPECT_EQ(load_be<int64_t>(middle.records.bytes().data()), 2) << "the batch that holds the offset";

  // max_bytes over all partitions: the first may exceed it, the others may not.
  auto request = fetch_request({at("t", 0, 0, n), at("t", 1, 0, n), at("t", 2, 0, n)});
  request.max_bytes = 2 * n;
  auto response = co_await client.call(request, 12);
  FARSHORE_CO_REQUIRE(response && response->responses.size() == 1 && response->responses[0].partitions.size() == 3);
  EXPECT_EQ(response->responses[0].partitions[0].records.size(), size);
  EXPECT_EQ(response->responses[0].partitions[1].records.size(), size);
  EXPECT_EQ(response->responses[0].partitions[2].records.size(), 0u);
  request.max_bytes = 1;
  response = co_await client.call(request, 12);
  FARSHORE_CO_REQUIRE(response && response->responses.size() == 1 && response->responses[0].partitions.size() == 3);
  EXPECT_EQ(response->responses[0].partitions[0].records.size(), size);
  EXPECT_EQ(response->responses[0].partitions[1].records.size(), 0u);
}

TEST(Fetch, ByteLimitsHoldExceptForTheFirstBatch) {
  for (uint64_t seed = 700; seed < 710; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TestCluster cluster(seed);
    cluster.start();
    cluster.run(limits(cluster));
  }
}

Task<void> sessions(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 3));
  Batch records = batch(1);
  EXPECT_EQ((co_await client.produce("t", 0, records)).error_code, 0);
  const TopicId id = cluster.services().metadata.image()->topic("t")->id;

  auto request = fetch_request({at("t", 0, 0), at("t", 1, 0), at("t", 2, 0)});
  for (auto& topic : request.topics) topic.topic_id = id;
  request.session_epoch = 0;
  auto first = co_await client.call(request, 13);
  FARSHORE_CO_REQUIRE(first && first->responses.size() == 1);
  EXPECT_EQ(first->responses[0].topic_id, id);
  EXPECT_EQ(first->responses[0].partitions.size(), 3u) << "grouped by topic, all of them";
  const int32_t session = first->session_id;
  EXPECT_GT(session, 0);

  FetchRequest next;
  next.session_id = session;
  next.session_epoch = 1;
  next.min_bytes = 1;
  auto& moved = next.topics.emplace_back();
  moved.topic_id = id;
  auto& position = moved.partitions.emplace_back();
  position.partition = 0;
  position.fetch_offset = 1;
  position.partition_max_bytes = 1 << 20;
  auto quiet = co_await client.call(next, 13);
  FARSHORE_CO_REQUIRE(quiet);
  EXPECT_EQ(quiet->session_id, session);
  EXPECT_TRUE(quiet->responses.empty()) << "nothing changed";

  EXPECT_EQ((co_await client.produce("t", 2, records)).error_code, 0);
  next.topics.clear();
  next.session_epoch = 2;
  auto changed = co_await client.call(next, 13);
  FARSHORE_CO_REQUIRE(changed && changed->responses.size() == 1 && changed->responses[0].partitions.size() == 1);
  EXPECT_EQ(changed->responses[0].partitions[0].partition_index, 2);
  EXPECT_GT(changed->responses[0].partitions[0].records.size(), 0u);

  auto stale = co_await client.call(next, 13);
  FARSHORE_CO_REQUIRE(stale);
  EXPECT_EQ(stale->error_code, wire_code(Code::kInvalidFetchSessionEpoch));
  EXPECT_TRUE(stale->responses.empty());
  next.session_id = session == 5 ? 6 : 5;
  auto unknown = co_await client.call(next, 13);
  FARSHORE_CO_REQUIRE(unknown);
  EXPECT_EQ(unknown->error_code, wire_code(Code::kFetchSessionIdNotFound));
  next.session_id = session;
  next.session_epoch = 3;
  auto named = co_await client.call(next, 12);
  FARSHORE_CO_REQUIRE(named);
  EXPECT_EQ(named->error_code, wire_code(Code::kFetchSessionTopicIdError));

  // Forgotten partitions are not answered any more.
  auto& forgotten = next.forgotten_topics_data.emplace_back();
  forgotten.topic_id = id;
  forgotten.partitions = {2};
  auto less = co_await client.call(next, 13);
  FARSHORE_CO_REQUIRE(less);
  EXPECT_EQ(less->error_code, 0);
  EXPECT_TRUE(less->responses.empty()) << "partition 2 had records";
}

TEST(Fetch, SessionAnswersOnlyChangedPartitions) {
  for (uint64_t seed = 800; seed < 810; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TestCluster cluster(seed);
    cluster.start();
    cluster.run(sessions(cluster));
  }
}

// Reads a response of some megabytes: `piece` bytes every 100 ms, until `pieces_max`.
Task<void> reads_slowly(TestCluster& cluster, size_t piece, size_t pieces_max, bool& whole) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ((co_await client.produce("t", 0, batch(1, std::string(500'000, 'x')))).error_code, 0);
  DataClient reader(cluster);
  FARSHORE_CO_REQUIRE(co_await reader.connect(TestCluster::endpoint()));
  auto request = fetch_request({at("t", 0, 0, 10 << 20)});
  FARSHORE_CO_REQUIRE(co_await reader.send(request, 12));
  auto length = co_await reader.receive_bytes(sizeof(int32_t));
  FARSHORE_CO_REQUIRE(length);
  auto left = static_cast<size_t>(load_be<int32_t>(length->data()));
  EXPECT_GT(left, 1'900'000u);
  for (size_t pieces = 0; left > 0 && pieces < pieces_max; ++pieces) {
    const size_t here = std::min(left, piece);
    auto got = co_await reader.receive_bytes(here);
    if (!got) co_return;
    left -= here;
    co_await cluster.client().sleep(milliseconds(100));
  }
  whole = left == 0;
  if (!whole) co_await cluster.client().sleep(seconds(10));  // connected, and silent
}

TEST(Fetch, ReaderIsCutOffWhenItStopsAndNotWhenItIsSlow) {
  for (const bool steady : {true, false}) {
    TestCluster cluster(17);
    cluster.set("socket.write.timeout.ms", "3000");
    cluster.world().net().set_window(64 << 10);
    cluster.start();
    bool whole = false;
    cluster.run(reads_slowly(cluster, 16 << 10, steady ? 1000 : 20, whole));
    EXPECT_EQ(whole, steady);
    EXPECT_EQ(cluster.ended("slow_reader"), steady ? 0u : 1u);
  }
}

Task<void> client_leaves(TestCluster& cluster) {
  DataClient client(cluster);
  FARSHORE_CO_REQUIRE(co_await client.ready("t", 1));
  auto request = fetch_request({at("t", 0, 0)}, 3'600'000);
  FARSHORE_CO_REQUIRE(co_await client.send(request, 12));
  co_await cluster.client().sleep(seconds(1));
  client.close();
}

TEST(Fetch, BrokerStopsWhileALongPollWaits) {
  TestCluster cluster(13);
  cluster.start();
  cluster.run(client_leaves(cluster));
  // ~TestCluster stops the broker within its limit, or the run fails.
}

}  // namespace
}  // namespace farshore::broker
