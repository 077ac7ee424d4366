// LifeWorld: a source broker ("east-1"), a target broker ("west-1"), gateways of the target, and a client, each on a
// simulated host of its own. Calls of the client and of gateways run to their end; what fails, fails the test.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/sim/net.h"
#include "base/sim/world.h"
#include "broker/broker.h"
#include "linker/gateway.h"
#include "proto/kafka/client/cluster_admin.h"

namespace farshore::life {

namespace api = control::v1;

inline constexpr const char* kEast = "east-1";
inline constexpr const char* kWest = "west-1";
inline constexpr const char* kLink = "L";

class LifeWorld : public testing::Test {
 public:
  using Settings = std::map<std::string, std::string>;
  static constexpr Duration kLimit = seconds(300);

  LifeWorld();
  ~LifeWorld() override;

  sim::SimWorld& world() { return world_; }
  bool until(const std::function<bool()>& done, Duration limit = seconds(60)) {
    return world_.run_until(done, limit) == sim::RunEnd::kDone;
  }

  void start_broker(const std::string& host, const Settings& settings = {});
  void kill_broker(const std::string& host);
  void freeze_broker(const std::string& host, bool frozen);  // as SIGSTOP and SIGCONT

  // A gateway of `target`, on a host of its own; one that was there is killed. Waits until it has its links.
  void start_gateway(const std::string& host = "gateway", const std::string& target = kWest);
  void kill_gateway(const std::string& host = "gateway");

  // --- the client
  void create(const std::string& at, const std::string& topic, int32_t partitions = 1, const Settings& configs = {});
  void delete_topic(const std::string& at, const std::string& topic);
  void produce(const std::string& at, const std::string& topic, int records, int keys = 1000);  // one batch
  bool can_produce(const std::string& at, const std::string& topic);  // writes a record, if clients may
  void delete_records(const std::string& at, const std::string& topic, int64_t before);
  void commit(const std::string& at, const std::string& group, const std::string& topic, int64_t offset);
  void delete_group(const std::string& at, const std::string& group);
  // -1: nothing is committed.
  int64_t committed(const std::string& at, const std::string& group, const std::string& topic);
  std::string config(const std::string& at, const std::string& topic, const std::string& key);
  void configure(const std::string& at, const std::string& topic, const std::string& key, const std::string& value);
  // Entries of the link metastore: one change each.
  void store(const std::vector<std::pair<std::string, std::string>>& entries);
  std::vector<std::string> stored_keys(const std::string& prefix);
  // Of partition 0; {-1, -1}: the topic is not there.
  struct Ends {
    int64_t start = -1, end = -1;
    friend bool operator==(const Ends&, const Ends&) = default;
  };
  Ends ends(const std::string& at, const std::string& topic);
  uint64_t size_bytes(const std::string& at, const std::string& topic);
  // For how long fences keep clients from writing to the topic; 0: none does.
  Duration fenced_for(const std::string& at, const std::string& topic);

  // --- the operator, at a gateway
  void link(const std::string& topics = "*", const std::string& gateway = "gateway", const std::string& source = kEast);
  Result<api::StatusReply> status(const std::string& link, const std::string& gateway = "gateway");
  Result<api::DeleteLinkReply> delete_link(bool dry_run, bool force, const std::string& gateway = "gateway");
  void pause_link(bool paused);
  api::VerbProgress promote(const std::string& topic);  // the last message
  // The messages of a failover of all topics.
  std::vector<api::VerbProgress> failover_all(const std::string& gateway = "gateway");
  api::Link describe(const std::string& gateway = "gateway");
  void discover();  // the link looks for topics of its source now
  // Two changes of the link at the same time; what each was answered.
  std::vector<Result<api::Link>> update_both(std::pair<std::string, std::string> one,
                                             std::pair<std::string, std::string> other);
  Result<api::Link> update(const std::string& key, const std::string& value, const std::string& gateway = "gateway",
                           bool dry_run = false);
  // Without a topic of that name: an empty message.
  api::MirrorTopic mirror(const std::string& topic, const std::string& gateway = "gateway");
  std::string state(const std::string& topic, const std::string& gateway = "gateway") {
    return mirror(topic, gateway).state();
  }
  Result<api::MirrorTopic> create_mirror(const std::string& source_topic);
  // Of the group's first partition; empty: the gateway does not show the group.
  std::string group_state(const std::string& group, const std::string& gateway = "gateway");
  Status pause(const std::string& topic, bool paused, const std::string& gateway = "gateway");
  // The last message about the topic.
  api::VerbProgress failover(const std::string& topic, const std::string& gateway = "gateway");
  struct Answer {
    Status status;  // of the request as a whole
    std::vector<api::VerbProgress> messages;
    Duration took{};  // by the simulated clock
  };
  // Of these topics; none: of all.
  Answer failover_without_link(const std::vector<std::string>& topics, bool dry_run = false,
                               const std::string& gateway = "gateway");
  Answer failover_as(api::FailoverRequest request, const std::string& gateway = "gateway");
  Answer promote_as(api::PromoteRequest request);
  // One row for each partition, of all topics if none is named.
  std::vector<api::VerifyProgress> verify(const std::string& topic = "");
  // ACTIVE, and nothing is behind.
  bool mirrored(const std::string& topic);

  // --- a long way, and what takes long on it
  Result<api::CreateLinkReply> link_within(Duration limit, const std::string& topics,
                                           const std::string& gateway = "gateway", const std::string& source = kEast);
  void set_round_trip(const std::string& a, const std::string& b, Duration time);
  Duration now() const { return client_.now() - MonoTime(); }
  // Pauses, resumes (`verb` "pause", "resume") or unfences all topics.
  Result<api::MirrorsReply> all_mirrors(const std::string& verb);
  // Runs beside what the test does next; `messages` gets its progress, and lives until `ended`.
  struct Promote {
    std::vector<api::VerbProgress> messages;
    bool ended = false;
  };
  void begin_promote(const std::string& topic, Duration limit, Promote& promote);  // empty: all
  // `caller` may leave while it runs; `ended` lives until it is true.
  void begin_failover(const std::string& topic, linker::CallerPtr caller, bool& ended);
  bool has_ended(const std::string& at, const std::string& topic);          // the mirror, at the target
  int16_t try_to_produce(const std::string& at, const std::string& topic);  // Kafka's error code

 private:
  struct Node {
    sim::SimEnv* env = nullptr;
    std::unique_ptr<broker::Broker> broker;
    std::unique_ptr<kafka::ClusterAdmin> admin;  // of the client
  };
  struct Running {
    sim::SimEnv* env = nullptr;
    std::unique_ptr<linker::Gateway> gateway;
  };
  template <class T>
  Result<T> ask(sim::SimEnv& env, Task<Result<T>> task);
  template <class T>
  T expect(Result<T> result);
  kafka::ClusterAdmin& admin(const std::string& at) { return *nodes_[at].admin; }
  Deadline soon(sim::SimEnv& env) { return env.in(seconds(60)); }
  int16_t produce_batch(const std::string& at, const std::string& topic, int records, int keys);
  broker::PartitionPtr partition(const std::string& at, const std::string& topic);

  sim::SimWorld world_;
  sim::SimEnv& client_;
  std::map<std::string, Node> nodes_;
  std::map<std::string, Running> gateways_;
};

}  // namespace farshore::life
