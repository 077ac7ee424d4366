// For tests: small brokers whose answers the test writes, on the simulated network.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "base/gate.h"
#include "base/sim/net.h"
#include "base/sim/world.h"
#include "proto/kafka/client/client.h"
#include "proto/kafka/messages/api_versions.h"
#include "proto/kafka/messages/metadata.h"

namespace farshore::kafka {

inline constexpr uint16_t kPort = 9092;

inline uint64_t announced_seed() {
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
  std::vector<ApiRange> private_apis;  // announced besides Kafka's

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
    for (const ApiRange& api : private_apis) {
      auto& each = response.api_keys.emplace_back();
      each.api_key = api.key;
      each.min_version = api.min_version;
      each.max_version = api.max_version;
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

inline MetadataResponse metadata(std::string cluster_id) {
  MetadataResponse response;
  response.cluster_id = std::move(cluster_id);
  return response;
}

}  // namespace farshore::kafka
