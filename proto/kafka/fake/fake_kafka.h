// FakeKafka: one Kafka broker in memory, for tests of programs that talk to Kafka. It has topics, idempotent producers
// with Kafka's sequence rules, transactional ids whose abort markers arrive some time after EndTxn and fence older
// epochs, and faults that a test asks for. It behaves as Apache Kafka 4.1.1 was seen to behave. It hangs up on a
// request that it does not know. A test can answer any request itself (`answer`), and so play brokers of larger
// clusters. Executor: the Env's, for all members. Works on any Env.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/gate.h"
#include "proto/kafka/fake/call.h"
#include "proto/kafka/fake/cluster.h"

namespace farshore::kafka {

class RecordApis;
class TopicApis;
class TransactionApis;
class LinkStateApi;

class FakeKafka : public FakeCluster {
 public:
  using Call = FakeCall;
  // The outcome of a request.
  enum class Fate : uint8_t {
    kAnswer,
    kLoseRequest,  // not executed; the connection ends
    kLoseAnswer,   // executed; the connection ends without an answer
    kHold,         // executed when release() is called; the connection ends without an answer (Produce only)
    kSilence,      // not executed; the connection ends when `fate` returns something else
    kWrongId,      // executed; the answer has another request's correlation id
  };

  FakeKafka(Env& env, Endpoint at);
  ~FakeKafka();

  // Listens and serves until stop(). Await its end, or kill its process.
  Task<void> run();
  void stop();
  bool listening() const { return listener_ != nullptr; }
  Endpoint address() const { return listener_->local(); }

  // Appends one whole batch (of BatchBuilder) as it is, without the checks of Produce. Returns its base offset.
  int64_t append(const std::string& topic, int32_t index, std::vector<std::byte> batch);
  // Executes the requests that kHold kept back, in order.
  void release();

  // Asked before each request, by API key; not set: kAnswer.
  std::function<Fate(int16_t api_key)> fate;
  // Asked before each request that is to be executed. True: it has written the response to `call.out`, whose header is
  // already there. False: FakeKafka executes the request.
  std::function<bool(Call& call)> answer;
  std::map<int16_t, int16_t> version_max;  // by API key: ApiVersions announces this instead of our newest version
  struct PrivateApi {
    int16_t key, min_version, max_version;
  };
  std::vector<PrivateApi> private_apis;  // announced as a Farshore broker does; of these, LinkState is also answered
  std::map<int16_t, int> requests;       // how many arrived, by API key

 private:
  Task<void> serve(std::unique_ptr<Stream> stream);
  Task<bool> handle(Call& call);  // false: hang up
  bool api_versions(Call& call);
  bool metadata(Call& call);
  bool find_coordinator(Call& call);

  Env& env_;
  const Endpoint at_;
  SlabArena arena_;
  std::unique_ptr<Listener> listener_;
  std::vector<std::weak_ptr<Stream>> streams_;
  std::vector<std::vector<std::byte>> held_;  // whole request frames
  Notifier appended_;
  std::unique_ptr<TopicApis> topic_apis_;
  std::unique_ptr<RecordApis> record_apis_;
  std::unique_ptr<TransactionApis> transaction_apis_;
  std::unique_ptr<LinkStateApi> link_state_api_;
  bool stopped_ = false;
  Gate gate_;
};

}  // namespace farshore::kafka
