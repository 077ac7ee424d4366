#include "proto/kafka/client/client.h"

#include "proto/batch/builder.h"
#include "proto/kafka/fake/testing/kafka_world.h"
#include "proto/kafka/messages/api_versions.h"
#include "proto/kafka/messages/metadata.h"
#include "proto/kafka/messages/mirror_control.h"

namespace farshore::kafka {
namespace {

using Fate = FakeKafka::Fate;

MetadataResponse metadata(std::string cluster_id) {
  MetadataResponse response;
  response.cluster_id = std::move(cluster_id);
  return response;
}

// `what` for all requests but ApiVersions, the first request of a client.
std::function<Fate(int16_t)> after_handshake(Fate what) {
  return [what](int16_t key) { return key == ApiVersionsRequest::kApiKey ? Fate::kAnswer : what; };
}

class ClientTest : public KafkaWorld {
 public:
  ClientTest() : KafkaWorld(sim::SimOptions{.seed = announced_seed(kUsualSeed)}, "client") {}

  Task<std::unique_ptr<Client>> connected(std::string host) {
    Endpoint to{host, kPort};
    ClientOptions options;
    auto client = co_await Client::connect(env_, env_.network(), to, options, env_.in(seconds(30)));
    if (!client) ADD_FAILURE() << client.error().to_string();
    co_return client ? std::move(*client) : nullptr;
  }
};

TEST_F(ClientTest, CallsInTheHighestCommonVersion) {
  FakeKafka& east = start_broker("east");
  east.version_max[MetadataRequest::kApiKey] = 7;
  std::vector<int16_t> versions;
  east.answer = [&](FakeKafka::Call& call) {
    versions.push_back(call.version());
    EXPECT_EQ(call.frame.header.client_id, "farshore");
    metadata("C").encode(call.out, versions.back());
    return true;
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
  run(body());
  EXPECT_EQ(versions, (std::vector<int16_t>{7, 4}));
}

TEST_F(ClientTest, RefusesOtherVersionsOfPrivateApisAndNamesBoth) {
  FakeKafka& east = start_broker("east");
  east.private_apis = {{MirrorControlRequest::kApiKey, 0, 0}};
  auto body = [&]() -> Task<void> {
    auto client = co_await connected("east");
    MirrorControlRequest request;
    auto refused = co_await client->call(std::move(request), env_.in(seconds(30)));
    EXPECT_EQ(refused.error().code, farshore::ErrorCode::kUnsupported);
    EXPECT_EQ(refused.error().detail,
              "broker east:9092: it speaks MirrorControl 0, and this program needs 1-4: bring both to the same release "
              "of Farshore");
    EXPECT_TRUE(client->usable()) << "nothing was sent";
  };
  run(body());
}

TEST_F(ClientTest, FallsBackToApiVersionsZeroIfTheBrokerIsOld) {
  FakeKafka& east = start_broker("east");
  east.version_max[ApiVersionsRequest::kApiKey] = 2;
  auto body = [&]() -> Task<void> {
    auto client = co_await connected("east");
    EXPECT_TRUE(client && client->range_of(MetadataRequest::kApiKey));
  };
  run(body());
  EXPECT_EQ(east.requests[ApiVersionsRequest::kApiKey], 2);
}

TEST_F(ClientTest, PipelinedCallsGetTheirOwnAnswers) {
  FakeKafka& east = start_broker("east");
  east.answer = [&](FakeKafka::Call& call) {
    auto request = call.decode<MetadataRequest>();
    metadata(*request.topics->at(0).name).encode(call.out, call.version());
    return true;
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
  run(body());
  EXPECT_EQ(answered, 20);
  EXPECT_GT(most_waiting, 1u);
}

// Coroutines that were spawned one after the other run in any order.
TEST_F(ClientTest, SendsRequestsInTheOrderOfTheCalls) {
  FakeKafka& east = start_broker("east");
  std::vector<std::string> arrived, called;
  east.answer = [&](FakeKafka::Call& call) {
    auto request = call.decode<MetadataRequest>();
    arrived.push_back(*request.topics->at(0).name);
    metadata(arrived.back()).encode(call.out, call.version());
    return true;
  };
  using Answer = Task<Result<MetadataResponse>>;
  auto one = [](Answer answer, std::string name) -> Task<void> {
    auto response = co_await std::move(answer);
    EXPECT_TRUE(response);
    if (response) {
      EXPECT_EQ(response->cluster_id, name);
    }
  };
  auto body = [&]() -> Task<void> {
    auto client = co_await connected("east");
    Gate gate(env_);
    for (int i = 0; i < 30; ++i) {
      called.push_back("t" + std::to_string(i));
      MetadataRequest request;
      request.topics.emplace().emplace_back().name = called.back();
      spawn(gate, "call", one(client->call(std::move(request), env_.in(seconds(30))), called.back()));
      if (i % 10 == 9) co_await env_.sleep(milliseconds(1));
    }
    {  // what is dropped is not sent, and holds nobody up
      MetadataRequest request;
      request.topics.emplace().emplace_back().name = "dropped";
      auto dropped = client->call(std::move(request), env_.in(seconds(30)));
    }
    called.push_back("last");
    MetadataRequest request;
    request.topics.emplace().emplace_back().name = "last";
    spawn(gate, "call", one(client->call(std::move(request), env_.in(seconds(30))), "last"));
    co_await gate.close();
  };
  run(body());
  EXPECT_EQ(arrived, called);
}

TEST_F(ClientTest, TimeoutOfOneCallEndsTheConnectionForAll) {
  FakeKafka& east = start_broker("east");
  east.fate = after_handshake(Fate::kSilence);
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
  run(body());
}

TEST_F(ClientTest, CloseFailsTheCallsUnderWay) {
  FakeKafka& east = start_broker("east");
  east.fate = after_handshake(Fate::kSilence);
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
  run(body());
}

TEST_F(ClientTest, RefusesAnAnswerWithAnotherCorrelationId) {
  FakeKafka& east = start_broker("east");
  east.fate = after_handshake(Fate::kWrongId);
  auto body = [&]() -> Task<void> {
    auto client = co_await connected("east");
    MetadataRequest ask7;
    auto response = co_await client->call(std::move(ask7), env_.in(seconds(5)));
    EXPECT_EQ(response.error().code, farshore::ErrorCode::kCorrupt);
    EXPECT_FALSE(client->usable());
  };
  run(body());
}

TEST_F(ClientTest, ErrorsNameTheBrokerWhenTheConnectionEnds) {
  FakeKafka& east = start_broker("east");
  east.fate = after_handshake(Fate::kLoseRequest);
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
  run(body());
}

TEST_F(ClientTest, DecodesFetchesAsTheyArriveBetweenOtherCalls) {
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
  FakeKafka& east = start_broker("east");
  Bytes records;
  std::vector<int64_t> expected;
  for (int i = 0; i < 40; ++i) {
    Bytes one = BatchBuilder().base_offset(i).add(1, "k", std::string(100'000, 'v')).build();
    records.insert(records.end(), one.begin(), one.end());
    expected.push_back(i);
  }
  east.answer = [&](FakeKafka::Call& call) {
    int16_t version = call.version();
    if (call.key() != FetchRequest::kApiKey) {
      metadata("C").encode(call.out, version);
      return true;
    }
    EXPECT_EQ(version, 12);
    FetchResponse response;
    auto& topic = response.responses.emplace_back();
    topic.topic = call.decode<FetchRequest>().topics.at(0).topic;
    topic.partitions.emplace_back().records = Records::view(records);
    response.encode(call.out, version);
    return true;
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
  run(body());
}

}  // namespace
}  // namespace farshore::kafka
