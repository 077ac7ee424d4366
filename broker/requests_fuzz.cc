// Any bytes as the frames of one connection to a whole broker, on the simulated network. Each frame is answered or ends
// the connection, and the broker serves the next client. Input: frames, each behind its length (uint16).
#include "base/sim/world.h"
#include "broker/broker.h"
#include "broker/broker_config.h"
#include "broker/testing/test_client.h"
#include "proto/kafka/messages/create_topics.h"
#include "proto/kafka/messages/metadata.h"

using namespace farshore;
using namespace farshore::broker;

namespace {

constexpr Duration kLimit = seconds(300);
constexpr size_t kFramesMax = 8;

Endpoint endpoint() { return {"east-1", 9092}; }

Task<void> start(Broker& broker) {
  auto started = co_await broker.start();
  ensure(started.has_value(), "the broker starts");
}

Task<void> make_topic(Env& env) {
  TestClient client(env);
  auto connected = co_await client.connect(endpoint());
  ensure(connected.has_value(), "it listens");
  kafka::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "orders";
  topic.num_partitions = 2;
  topic.replication_factor = -1;
  request.timeout_ms = 10000;
  auto made = co_await client.call(std::move(request), 7);
  ensure(made.has_value(), "topics can be made");
}

Task<void> send(Env& env, std::vector<kafka::Bytes> frames) {
  TestClient client(env, seconds(20));  // a long poll may rightly take its time
  auto connected = co_await client.connect(endpoint());
  ensure(connected.has_value(), "it listens");
  for (auto& frame : frames) {
    auto sent = co_await client.send_frame(std::move(frame));
    if (!sent) co_return;
    auto answer = co_await client.receive_frame();
    if (!answer) co_return;
  }
}

Task<void> ask(Env& env) {
  TestClient client(env);
  auto connected = co_await client.connect(endpoint());
  ensure(connected.has_value(), "it still listens");
  auto answer = co_await client.call(kafka::MetadataRequest(), 12);
  ensure(answer.has_value(), "it still answers");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<kafka::Bytes> frames;
  while (size > 2 && frames.size() < kFramesMax) {
    const size_t length = std::min<size_t>(static_cast<size_t>(data[0]) << 8 | data[1], size - 2);
    const auto* begin = reinterpret_cast<const std::byte*>(data + 2);
    frames.emplace_back(begin, begin + length);
    data += 2 + length;
    size -= 2 + length;
  }
  if (frames.empty()) return 0;
  sim::SimOptions options;
  options.buggify = options.yields = false;
  sim::SimWorld world(options);
  sim::SimEnv& client = world.start_process("client", "client");
  sim::SimEnv& env = world.start_process("east-1", "broker");
  Config config(broker_schema());
  for (auto [key, value] : {std::pair("listeners", "PLAINTEXT://east-1:9092"), std::pair("log.dirs", "/data")})
    ensure(config.set(key, value).has_value(), "known keys");
  Broker broker(env, env.kv(), std::move(config));
  ensure(world.run(env, start(broker), kLimit), "the start ends");
  ensure(world.run(client, make_topic(client), kLimit), "it answers");
  ensure(world.run(client, send(client, std::move(frames)), kLimit), "every wait ends");
  ensure(world.run(client, ask(client), kLimit), "it answers");
  ensure(world.run(env, broker.stop(), kLimit), "it stops");
  return 0;
}
