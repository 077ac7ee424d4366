#include "linker/relay/topic_setup.h"

#include "base/memory_kv.h"
#include "linker/relay/relay_target.h"
#include "linker/store/kafka_link_store.h"
#include "linker/store/testing/kafka_fixture.h"

namespace farshore::linker {
namespace {

StoredLink relay_link() {
  StoredLink link;
  link.spec.name = "l";
  link.spec.mode = LinkMode::kRelay;
  link.spec.source.push_back(Endpoint{"source", 9092});
  link.spec.target.push_back(Endpoint{"kafka", 9092});
  link.id = LinkId{{0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11}};
  link.epoch = LinkEpoch(1);
  return link;
}

// A source and a target, and a relay's target between them.
class TopicSetupTest : public KafkaFixture {
 public:
  TopicSetupTest() : source_kafka_(start_broker("source")) {
    brokers_["source"]->run_until_listening();
    source_kafka_.cluster_id = "source-cluster";
    kafka_.config_minimums = {{"segment.bytes", 1 << 20}, {"segment.ms", 1000}};
  }

  // A topic of the source with these configs, which the link follows.
  WantedTopic wanted(const std::string& name, std::map<std::string, std::string> configs) {
    auto& topic = source_kafka_.add_topic(name, 2);
    topic.configs = configs;
    WantedTopic out;
    out.topic = name;
    out.source.name = name;
    out.source.id = topic.id;
    out.source.partitions = 2;
    out.configs = std::move(configs);
    return out;
  }

  kafka::FakeKafka& source_kafka_;
};

// Its members go in the order that they need.
struct Relay {
  explicit Relay(TopicSetupTest& t)
      : translations(kv),
        store(t.env_, *t.cluster_),
        journal(t.env_, *t.cluster_, translations),
        target(t.env_, t.env_.network(), relay_link(), RelayServices{store, journal, translations}),
        source(t.env_, t.env_.network(), "source", relay_link().spec.source, ""),
        mirrors(source.client()) {}
  Task<Result<TargetTopic>> make(WantedTopic wanted, Deadline deadline) {
    const LinkSource from{source, mirrors, false};
    co_return co_await target.make(std::move(wanted), from, deadline);
  }
  void close() {
    source.close();
    target.close();
  }

  MemoryKv kv;
  offsets::TranslationStore translations;
  KafkaLinkStore store;
  KafkaRelayJournal journal;
  RelayTarget target;
  ClusterAdmin source;
  MirrorClient mirrors;
};

void expect_refused(const TargetTopic& made, const std::vector<std::string>& keys) {
  ASSERT_EQ(made.drift.size(), keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(made.drift[i].rfind(keys[i] + ": source 100, ", 0), 0u) << made.drift[i];
    EXPECT_NE(made.drift[i].find("must be at least"), std::string::npos) << made.drift[i];
  }
}

ASYNC_TEST_F(TopicSetupTest, RefusedConfigIsLeftOutAndReportedAsDrift) {
  Relay relay(*this);
  for (auto refusal : {kafka::ErrorCode::kInvalidConfig, kafka::ErrorCode::kPolicyViolation}) {
    kafka_.config_refusal = refusal;
    const std::string name = "orders-" + std::to_string(static_cast<int>(refusal));
    WantedTopic wanted = this->wanted(
        name,
        {{"segment.bytes", "100"}, {"segment.ms", "100"}, {"cleanup.policy", "delete"}, {"retention.ms", "5000"}});
    WantedTopic plan = wanted;
    plan.dry_run = true;
    auto planned = co_await relay.make(std::move(plan), soon());
    CO_ASSERT_OK(planned);
    expect_refused(*planned, {"segment.bytes", "segment.ms"});
    EXPECT_EQ(kafka_.topics.count(name), 0u);
    auto made = co_await relay.make(std::move(wanted), soon());
    CO_ASSERT_OK(made);
    expect_refused(*made, {"segment.bytes", "segment.ms"});
    CO_ASSERT(kafka_.topics.count(name) == 1);
    auto configs = kafka_.topics[name].configs;
    EXPECT_EQ(made->id.value(), kafka_.topics[name].id);
    EXPECT_EQ(configs.count("segment.bytes"), 0u);
    EXPECT_EQ(configs.count("segment.ms"), 0u);
    EXPECT_EQ(configs["cleanup.policy"], "delete");
    EXPECT_EQ(configs["retention.ms"], "-1");
    EXPECT_EQ(configs["compression.type"], "producer");
    EXPECT_EQ(configs["message.timestamp.before.max.ms"], "9223372036854775807");
  }
  relay.close();
}

ASYNC_TEST_F(TopicSetupTest, RefusedConfigOfATopicMadeByOthersIsReportedAsDrift) {
  Relay relay(*this);
  WantedTopic wanted = this->wanted("orders", {{"segment.bytes", "100"}, {"cleanup.policy", "delete"}});
  kafka_.add_topic("orders", 2).configs = {{"compression.type", "gzip"}};
  auto made = co_await relay.make(std::move(wanted), soon());
  CO_ASSERT_OK(made);
  expect_refused(*made, {"segment.bytes"});
  auto configs = kafka_.topics["orders"].configs;
  EXPECT_EQ(configs.count("segment.bytes"), 0u);
  EXPECT_EQ(configs["cleanup.policy"], "delete");
  EXPECT_EQ(configs["retention.ms"], "-1");
  EXPECT_EQ(configs["compression.type"], "producer");
  relay.close();
}

// Without it the target would delete what is relayed before anybody reads it.
ASYNC_TEST_F(TopicSetupTest, TargetThatRefusesToKeepEverythingIsRefused) {
  Relay relay(*this);
  kafka_.config_minimums = {{"retention.ms", 0}};
  const WantedTopic wanted = this->wanted("orders", {{"retention.ms", "5000"}});
  for (bool dry_run : {true, false}) {
    WantedTopic each = wanted;
    each.dry_run = dry_run;
    auto made = co_await relay.make(std::move(each), soon());
    CO_ASSERT(!made);
    EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(made.error().detail.find("retention.ms"), std::string::npos) << made.error().to_string();
    EXPECT_EQ(kafka_.topics.count("orders"), 0u);
  }
  relay.close();
}

}  // namespace
}  // namespace farshore::linker
