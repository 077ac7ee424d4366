// Client and ClusterClient against small brokers of the test's own, on the simulated network.
#include "proto/kafka/client.h"

#include <gtest/gtest.h>

#include "base/gate.h"
#include "base/sim/net.h"
#include "base/sim/world.h"
#include "proto/batch/builder.h"
#include "proto/kafka/cluster_client.h"
#include "proto/kafka/messages/api_versions.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/find_coordinator.h"
#include "proto/kafka/messages/heartbeat.h"
#include "proto/kafka/messages/metadata.h"

namespace farshore::kafka {
namespace {

constexpr uint16_t kPort = 9092;

uint64_t announced_seed() {
  uint64_t seed = 20261123;
  if (const char* given = std::getenv("FARSHORE_SEED")) seed = std::stoull(given);
  std::cout << "seed: FARSHORE_SEED=" << seed << "\n";
  return seed;
}

// Answers what `answer` writes into the response writer; Silent: never.
struct TestBroker {
  struct Asked {
    RequestFrame frame;
    Reader& body;
    Writer& out;
  };
  enum class Reply { kSend, kSilent, kHangUp, kWrongId };

  TestBroker(sim::SimEnv& e, std::string h) : env(e), host(std::move(h)), gate(e) {}
  sim::SimEnv& env;
  std::string host;
  Gate gate;
  SlabArena arena;
  std::unique_ptr<Listener> listener;
  std::function<Reply(Asked&)> answer;
  int connections = 0, requests = 0;
  int16_t api_versions_max = ApiVersionsRequest::kMaxVersion;
  int16_t metadata_max = MetadataRequest::kMaxVersion;

  Task<void> run() {
    Endpoint at{host, kPort};
    auto made = co_await env.network().listen(at);
    ensure(made, "the test's address is free");
    listener = std::move(*made);
    while (true) {
      auto stream = co_await listener->accept();
      if (!stream && stream.error() == farshore::ErrorCode::kClosed) co_return;
      if (!stream) {  // the simulated kernel is out of descriptors now and then
        co_await env.sleep(milliseconds(10));
        continue;
      }
      ++connections;
      spawn(gate, "serve", serve(std::move(*stream)));
    }
  }

  Task<void> serve(std::unique_ptr<Stream> stream) {
    while (true) {
      auto frame = co_await read_frame(*stream, arena, kFrameBytesMax, Deadline::never());
      if (!frame) co_return;
      ++requests;
      Reader reader(frame->bytes());
      auto request = parse_request_header(reader);
      if (!request) co_return;
      const ApiInfo& api = *request->api;
      int16_t version = request->header.request_api_version;
      Writer writer;
      Asked asked{*request, reader, writer};
      Reply reply = Reply::kSend;
      if (api.key == ApiVersionsRequest::kApiKey) {
        api_versions(asked);
      } else {
        begin_response(writer, api, version, request->header.correlation_id);
        reply = answer(asked);
      }
      if (reply == Reply::kSilent) continue;
      if (reply == Reply::kHangUp) co_return;
      if (reply == Reply::kWrongId) writer.patch_i32(4, 12345678);
      auto message = finish_frame(writer);
      ensure(message, "a test answers what can be encoded");
      auto written = co_await write_message(*stream, *message, Deadline::never());
      if (!written) co_return;
    }
  }

  void api_versions(Asked& asked) {
    int16_t version = asked.frame.header.request_api_version;
    ApiVersionsResponse response;
    if (version > api_versions_max) {
      version = 0;
      response.error_code = 35;
    }
    begin_response(asked.out, *asked.frame.api, version, asked.frame.header.correlation_id);
    for (const ApiInfo& api : apis()) {
      if (api.is_private) continue;
      auto& each = response.api_keys.emplace_back();
      each.api_key = api.key;
      each.min_version = api.min_version;
      each.max_version = api.key == MetadataRequest::kApiKey ? metadata_max : api.max_version;
    }
    response.encode(asked.out, version);
  }
};

template <class Request>
Request asked_for(TestBroker::Asked& asked) {
  return Request::decode(asked.body, asked.frame.header.request_api_version).value();
}

class ClientTest : public testing::Test {
 protected:
  ClientTest() : world_({.seed = announced_seed()}), env_(world_.start_process("client", "test")) {}

  void TearDown() override {
    for (auto& [host, each] : brokers_) {
      if (!each->env.dead()) world_.kill(each->env);
    }
  }

  TestBroker& broker(const std::string& host) {
    auto& made = brokers_[host];
    auto& env = world_.start_process(host, "broker");
    made = std::make_unique<TestBroker>(env, host);
    world_.spawn(env, made->run());
    return *made;
  }
  // Once the brokers listen.
  void play(Task<void> task) {
    for (auto& [host, each] : brokers_) {
      ASSERT_EQ(world_.run_until([&] { return each->listener != nullptr; }, seconds(10)), sim::RunEnd::kDone);
    }
    bool ended = world_.run(env_, std::move(task), minutes(10));
    if (!ended) world_.print(stderr);
    ASSERT_TRUE(ended);
  }
  Task<std::unique_ptr<Client>> connected(std::string host) {
    Endpoint to{host, kPort};
    ClientOptions options;
    auto client = co_await Client::connect(env_, env_.network(), to, options, env_.in(seconds(30)));
    if (!client) ADD_FAILURE() << client.error().to_string();
    co_return client ? std::move(*client) : nullptr;
  }

  sim::SimWorld world_;
  sim::SimEnv& env_;
  std::map<std::string, std::unique_ptr<TestBroker>> brokers_;
};

MetadataResponse metadata(std::string cluster_id) {
  MetadataResponse response;
  response.cluster_id = std::move(cluster_id);
  return response;
}

TEST_F(ClientTest, CallsInTheHighestVersionThatBothHave) {
  TestBroker& east = broker("east");
  east.metadata_max = 7;
  std::vector<int16_t> versions;
  east.answer = [&](TestBroker::Asked& asked) {
    versions.push_back(asked.frame.header.request_api_version);
    EXPECT_EQ(asked.frame.header.client_id, "farshore");
    metadata("C").encode(asked.out, versions.back());
    return TestBroker::Reply::kSend;
  };
  auto body = [&]() -> Task<void> {
    auto client = co_await connected("east");
    MetadataRequest ask1;
    auto response = co_await client->call(std::move(ask1), env_.in(seconds(30)));
    EXPECT_TRUE(response);
    EXPECT_EQ(response->cluster_id, "C");
    MetadataRequest ask2;
    (void)co_await client->call(std::move(ask2), env_.in(seconds(30)), 4);
    auto missing = client->version_for(MetadataRequest::kApiKey, -1);
    EXPECT_EQ(missing.error().code, farshore::ErrorCode::kUnsupported);
    EXPECT_NE(missing.error().detail.find("east:9092"), std::string::npos);
    EXPECT_EQ(client->version_for(10000).error().code, farshore::ErrorCode::kUnsupported);
  };
  play(body());
  EXPECT_EQ(versions, (std::vector<int16_t>{7, 4}));
}

TEST_F(ClientTest, FallsBackToTheOldestApiVersions) {
  TestBroker& east = broker("east");
  east.api_versions_max = 2;
  auto body = [&]() -> Task<void> {
    auto client = co_await connected("east");
    EXPECT_TRUE(client && client->range_of(MetadataRequest::kApiKey));
  };
  play(body());
  EXPECT_EQ(east.requests, 2);
}

TEST_F(ClientTest, PipelinesAndGivesEachCallItsOwnAnswer) {
  TestBroker& east = broker("east");
  east.answer = [&](TestBroker::Asked& asked) {
    auto request = asked_for<MetadataRequest>(asked);
    metadata(*request.topics->at(0).name).encode(asked.out, asked.frame.header.request_api_version);
    return TestBroker::Reply::kSend;
  };
  int answered = 0;
  size_t most_waiting = 0;
  std::unique_ptr<Client> client;
  auto one = [&](int i) -> Task<void> {
    MetadataRequest request;
    request.topics.emplace().emplace_back().name = "t" + std::to_string(i);
    auto response = co_await client->call(std::move(request), env_.in(seconds(30)));
    most_waiting = std::max(most_waiting, client->waiting());
    EXPECT_TRUE(response);
    EXPECT_EQ(response->cluster_id, "t" + std::to_string(i));
    ++answered;
  };
  auto body = [&]() -> Task<void> {
    client = co_await connected("east");
    Gate gate(env_);
    for (int i = 0; i < 20; ++i) spawn(gate, "call", one(i));
    co_await gate.close();
  };
  play(body());
  EXPECT_EQ(answered, 20);
  EXPECT_GT(most_waiting, 1u);
}

TEST_F(ClientTest, ATimeoutEndsTheConnectionForAllWhoWait) {
  TestBroker& east = broker("east");
  east.answer = [](TestBroker::Asked&) { return TestBroker::Reply::kSilent; };
  auto body = [&]() -> Task<void> {
    auto client = co_await connected("east");
    Error second;
    auto other = [&]() -> Task<void> {
      MetadataRequest ask3;
      auto response = co_await client->call(std::move(ask3), env_.in(minutes(5)));
      second = response.error();
    };
    Gate gate(env_);
    auto first_call = [&]() -> Task<void> {
      MetadataRequest ask4;
      auto response = co_await client->call(std::move(ask4), env_.in(seconds(2)));
      EXPECT_EQ(response.error().code, farshore::ErrorCode::kTimedOut);
      EXPECT_NE(response.error().detail.find("east:9092"), std::string::npos) << response.error().to_string();
    };
    spawn(gate, "first", first_call());
    spawn(gate, "second", other());
    co_await gate.close();
    EXPECT_EQ(second.code, farshore::ErrorCode::kConnectionReset);
    EXPECT_NE(second.detail.find("east:9092"), std::string::npos) << second.to_string();
    EXPECT_FALSE(client->usable());
    MetadataRequest ask5;
    auto later = co_await client->call(std::move(ask5), env_.in(seconds(2)));
    EXPECT_FALSE(later);
    EXPECT_EQ(client->waiting(), 0u);
  };
  play(body());
}

TEST_F(ClientTest, CloseEndsTheCallsUnderWay) {
  TestBroker& east = broker("east");
  east.answer = [](TestBroker::Asked&) { return TestBroker::Reply::kSilent; };
  auto body = [&]() -> Task<void> {
    auto client = co_await connected("east");
    Error error;
    auto call = [&]() -> Task<void> {
      MetadataRequest ask6;
      auto response = co_await client->call(std::move(ask6), env_.in(minutes(5)));
      error = response.error();
    };
    Gate gate(env_);
    spawn(gate, "call", call());
    spawn(gate, "call", call());
    co_await env_.sleep(seconds(1));
    client->close();
    co_await gate.close();
    EXPECT_EQ(error.code, farshore::ErrorCode::kClosed);
  };
  play(body());
}

TEST_F(ClientTest, AnAnswerToSomethingElseIsCorrupt) {
  TestBroker& east = broker("east");
  east.answer = [](TestBroker::Asked& asked) {
    metadata("C").encode(asked.out, asked.frame.header.request_api_version);
    return TestBroker::Reply::kWrongId;
  };
  auto body = [&]() -> Task<void> {
    auto client = co_await connected("east");
    MetadataRequest ask7;
    auto response = co_await client->call(std::move(ask7), env_.in(seconds(5)));
    EXPECT_EQ(response.error().code, farshore::ErrorCode::kCorrupt);
    EXPECT_FALSE(client->usable());
  };
  play(body());
}

TEST_F(ClientTest, AnEndedConnectionNamesTheBroker) {
  TestBroker& east = broker("east");
  east.answer = [](TestBroker::Asked&) { return TestBroker::Reply::kHangUp; };
  auto body = [&]() -> Task<void> {
    auto client = co_await connected("east");
    MetadataRequest ask8;
    auto response = co_await client->call(std::move(ask8), env_.in(seconds(5)));
    EXPECT_EQ(response.error().code, farshore::ErrorCode::kConnectionReset);
    EXPECT_NE(response.error().detail.find("broker east:9092"), std::string::npos) << response.error().to_string();
    Endpoint nowhere{"nowhere", kPort};
    ClientOptions options;
    auto refused = co_await Client::connect(env_, env_.network(), nowhere, options, env_.in(seconds(5)));
    EXPECT_FALSE(refused);
    EXPECT_NE(refused.error().detail.find("nowhere:9092"), std::string::npos) << refused.error().to_string();
  };
  play(body());
}

TEST_F(ClientTest, FetchesAreDecodedAsTheyArriveAndMixWithCalls) {
  struct Visitor : FetchVisitor {
    void on_response(const FetchResponse&) override {}
    void on_partition(const FetchTopic& topic, const Partition&, size_t) override { names.push_back(topic.name); }
    void on_batches(BatchRun run) override {
      EXPECT_TRUE(verify_crc(run));
      for (const auto& batch : run.batches) offsets.push_back(batch.base_offset);
    }
    void on_bad_records(Error error) override { ADD_FAILURE() << error.to_string(); }
    void on_partition_end(const FetchTopic&, const Partition&, size_t) override {}
    void on_response_end(const std::vector<FetchResponse::NodeEndpoint>&) override { ended = true; }
    std::vector<std::string> names;
    std::vector<int64_t> offsets;
    bool ended = false;
  };
  TestBroker& east = broker("east");
  Bytes records;
  std::vector<int64_t> expected;
  for (int i = 0; i < 40; ++i) {
    Bytes one = BatchBuilder().base_offset(i).add(1, "k", std::string(100'000, 'v')).build();
    records.insert(records.end(), one.begin(), one.end());
    expected.push_back(i);
  }
  east.answer = [&](TestBroker::Asked& asked) {
    int16_t version = asked.frame.header.request_api_version;
    if (asked.frame.header.request_api_key != FetchRequest::kApiKey) {
      metadata("C").encode(asked.out, version);
      return TestBroker::Reply::kSend;
    }
    EXPECT_EQ(version, 12);
    FetchResponse response;
    auto& topic = response.responses.emplace_back();
    topic.topic = asked_for<FetchRequest>(asked).topics.at(0).topic;
    topic.partitions.emplace_back().records = Records::view(records);
    response.encode(asked.out, version);
    return TestBroker::Reply::kSend;
  };
  auto body = [&]() -> Task<void> {
    auto client = co_await connected("east");
    SlabArena arena;
    SlabWriter slabs(arena);
    Visitor visitor;
    Gate gate(env_);
    auto call = [&]() -> Task<void> {
      MetadataRequest ask9;
      auto response = co_await client->call(std::move(ask9), env_.in(minutes(5)));
      EXPECT_TRUE(response);
    };
    FetchRequest request;
    request.topics.emplace_back().topic = "orders";
    spawn(gate, "call", call());
    auto fetched =
        co_await client->fetch(std::move(request), slabs, nullptr, visitor, env_.in(minutes(5)), /*version_max=*/12);
    EXPECT_TRUE(fetched) << fetched.error().to_string();
    spawn(gate, "call", call());
    co_await gate.close();
    EXPECT_TRUE(visitor.ended);
    EXPECT_EQ(visitor.names, std::vector<std::string>{"orders"});
    EXPECT_EQ(visitor.offsets, expected);
  };
  play(body());
}

class ClusterClientTest : public ClientTest {
 protected:
  // A broker of a two-broker cluster: east is 1, west is 2; partition 0 of "orders" is led by `leader`.
  void answers(TestBroker& at) {
    at.answer = [this](TestBroker::Asked& asked) {
      int16_t version = asked.frame.header.request_api_version;
      switch (asked.frame.header.request_api_key) {
        case MetadataRequest::kApiKey: {
          auto request = asked_for<MetadataRequest>(asked);
          MetadataResponse response = metadata(cluster_id);
          for (int32_t id : {1, 2}) {
            auto& each = response.brokers.emplace_back();
            each.node_id = id;
            each.host = id == 1 ? "east" : "west";
            each.port = kPort;
          }
          if (!request.topics) request.topics.emplace().emplace_back().name = "orders";
          for (const auto& wanted : *request.topics) {
            auto& topic = response.topics.emplace_back();
            topic.name = wanted.name;
            if (wanted.name != "orders") {
              topic.error_code = 3;
              continue;
            }
            auto& partition = topic.partitions.emplace_back();
            partition.leader_id = leader;
            partition.leader_epoch = 5;
            if (leader < 0) partition.error_code = 5;
          }
          ++metadata_requests;
          response.encode(asked.out, version);
          return TestBroker::Reply::kSend;
        }
        case FindCoordinatorRequest::kApiKey: {
          auto request = asked_for<FindCoordinatorRequest>(asked);
          FindCoordinatorResponse response;
          auto& each = response.coordinators.emplace_back();
          each.key = request.coordinator_keys.at(0);
          each.node_id = coordinator;
          each.error_code = coordinator < 0 ? 15 : 0;
          response.encode(asked.out, version);
          return TestBroker::Reply::kSend;
        }
        case HeartbeatRequest::kApiKey: {
          HeartbeatResponse response;
          bool here = asked_host(asked) == (coordinator == 1 ? "east" : "west");
          response.error_code = here ? 0 : 16;
          ++heartbeats;
          response.encode(asked.out, version);
          return TestBroker::Reply::kSend;
        }
        default:
          ++creates;
          return TestBroker::Reply::kHangUp;
      }
    };
  }
  const std::string& asked_host(TestBroker::Asked&) { return serving; }

  ClusterOptions options(std::vector<std::string> hosts) {
    ClusterOptions it;
    for (auto& host : hosts) it.bootstrap.push_back(Endpoint{host, kPort});
    return it;
  }

  std::string cluster_id = "C", serving = "east";
  int32_t leader = 1, coordinator = 1;
  int metadata_requests = 0, heartbeats = 0, creates = 0;
};

TEST_F(ClusterClientTest, FindsTheClusterThroughAnyLivingAddress) {
  answers(broker("west"));
  answers(broker("east"));
  ClusterClient cluster(env_, env_.network(), options({"nowhere", "west"}));
  auto body = [&]() -> Task<void> {
    auto view = co_await cluster.refresh_all(env_.in(minutes(1)));
    EXPECT_TRUE(view) << view.error().to_string();
    EXPECT_EQ((*view)->cluster_id, "C");
    EXPECT_EQ((*view)->brokers.at(1).endpoint.host, "east");
    TopicPartition partition{"orders", 0};
    auto found = co_await cluster.leader(partition, env_.in(minutes(1)));
    EXPECT_TRUE(found);
    EXPECT_EQ(found->broker, 1);
    EXPECT_EQ(found->epoch, 5);
    auto client = co_await cluster.broker(1, env_.in(minutes(1)));
    EXPECT_TRUE(client);
    EXPECT_EQ((*client)->endpoint().host, "east");
    auto again = co_await cluster.broker(1, env_.in(minutes(1)));
    EXPECT_EQ(*again, *client);
    auto own = co_await cluster.open(1, env_.in(minutes(1)));
    EXPECT_TRUE(own);
    auto nobody = co_await cluster.broker(7, env_.in(minutes(1)));
    EXPECT_EQ(nobody.error().code, farshore::ErrorCode::kNotFound);
  };
  play(body());
  EXPECT_EQ(metadata_requests, 1);
}

TEST_F(ClusterClientTest, LeaderWaitsForAnElectionAndReportsWhatIsMissing) {
  answers(broker("east"));
  leader = -1;
  ClusterClient cluster(env_, env_.network(), options({"east"}));
  world_.after(seconds(20), [&] { leader = 1; });
  auto body = [&]() -> Task<void> {
    TopicPartition partition{"orders", 0};
    auto found = co_await cluster.leader(partition, env_.in(minutes(1)));
    EXPECT_TRUE(found);
    int asked = metadata_requests;
    EXPECT_GT(asked, 2);
    cluster.forget_leader(partition);
    found = co_await cluster.leader(partition, env_.in(minutes(1)));
    EXPECT_TRUE(found);
    EXPECT_EQ(metadata_requests, asked + 1);
    TopicPartition none{"orders", 4}, no_topic{"other", 0};
    auto missing = co_await cluster.leader(none, env_.in(minutes(1)));
    EXPECT_EQ(missing.error().code, farshore::ErrorCode::kNotFound);
    missing = co_await cluster.leader(no_topic, env_.in(minutes(1)));
    EXPECT_EQ(missing.error().code, farshore::ErrorCode::kNotFound);
  };
  play(body());
}

TEST_F(ClusterClientTest, AForeignClusterBehindTheAddressIsRefused) {
  answers(broker("east"));
  ClusterClient cluster(env_, env_.network(), options({"east"}));
  auto body = [&]() -> Task<void> {
    EXPECT_TRUE(co_await cluster.refresh_all(env_.in(minutes(1))));
    cluster_id = "other";
    auto refused = co_await cluster.refresh_all(env_.in(minutes(1)));
    EXPECT_EQ(refused.error().code, farshore::ErrorCode::kConflict);
    EXPECT_NE(refused.error().detail.find("other"), std::string::npos);
    EXPECT_EQ(cluster.view()->cluster_id, "C");
  };
  play(body());
}

TEST_F(ClusterClientTest, GivesUpAtTheDeadlineAndSaysWhatFailed) {
  ClusterClient cluster(env_, env_.network(), options({"nowhere", "nobody"}));
  auto body = [&]() -> Task<void> {
    MonoTime begin = env_.now();
    auto view = co_await cluster.refresh_all(env_.in(seconds(20)));
    EXPECT_FALSE(view);
    EXPECT_LE(env_.now() - begin, seconds(21));
  };
  play(body());
}

TEST_F(ClusterClientTest, ReconnectsWhenABrokerComesBack) {
  answers(broker("east"));
  ClusterClient cluster(env_, env_.network(), options({"east"}));
  auto body = [&]() -> Task<void> {
    EXPECT_TRUE(co_await cluster.refresh_all(env_.in(minutes(1))));
    brokers_["east"]->listener.reset();
    world_.kill(*world_.processes("east").at(0));
    co_await env_.sleep(seconds(1));
    world_.after(seconds(10), [&] { answers(broker("east")); });
    auto view = co_await cluster.refresh_all(env_.in(minutes(1)));
    EXPECT_TRUE(view) << view.error().to_string();
  };
  play(body());
}

TEST_F(ClusterClientTest, ARequestThatMustNotBeRepeatedIsSentOnce) {
  answers(broker("east"));
  ClusterClient cluster(env_, env_.network(), options({"east"}));
  auto body = [&]() -> Task<void> {
    CreateTopicsRequest first, second;
    auto created = co_await cluster.call_any(std::move(first), Repeat::kNo, env_.in(minutes(1)));
    EXPECT_EQ(created.error().code, farshore::ErrorCode::kConnectionReset);
    EXPECT_EQ(creates, 1);
    created = co_await cluster.call_any(std::move(second), Repeat::kYes, env_.in(seconds(30)));
    EXPECT_FALSE(created);
    EXPECT_GT(creates, 3);
  };
  play(body());
}

TEST_F(ClusterClientTest, FollowsACoordinatorThatMoves) {
  answers(broker("east"));
  answers(broker("west"));
  coordinator = -1;
  ClusterClient cluster(env_, env_.network(), options({"east"}));
  world_.after(seconds(5), [&] { coordinator = 1; });
  auto body = [&]() -> Task<void> {
    auto id = co_await cluster.coordinator(CoordinatorKind::kGroup, "g", env_.in(minutes(1)));
    EXPECT_TRUE(id);
    EXPECT_EQ(*id, 1);
    coordinator = 2;  // east answers NOT_COORDINATOR from now on
    world_.after(seconds(3), [&] { serving = "west"; });
    HeartbeatRequest heartbeat;
    auto beat = co_await cluster.call_coordinator(CoordinatorKind::kGroup, "g", std::move(heartbeat), Repeat::kYes,
                                                  env_.in(minutes(1)));
    EXPECT_TRUE(beat);
    EXPECT_EQ(beat->error_code, 0);
    EXPECT_GT(heartbeats, 1);
  };
  play(body());
}

}  // namespace
}  // namespace farshore::kafka
