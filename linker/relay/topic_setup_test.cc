#include "linker/relay/topic_setup.h"

#include "base/memory_kv.h"
#include "linker/relay/relay_target.h"
#include "linker/relay/testing/relay_gateway.h"
#include "proto/batch/builder.h"

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

// Writes one run of the topic's partition 0 to the log of record, as a relay does.
Task<void> relay_something(TopicSetupTest& t, Relay& relay, LinkPartition key) {
  auto log = co_await relay.journal.log_of(key, t.soon());
  CO_ASSERT_OK(log);
  std::vector<TopicPartition> partitions{*log};
  auto owner = co_await kafka::fence(*t.cluster_, replicator::relay_shard_id(key), std::move(partitions), t.soon());
  CO_ASSERT_OK(owner);
  auto taken = co_await relay.journal.take_over(key, *owner, t.env_.now() + hours(1), t.soon());
  CO_ASSERT_OK(taken);
  relay.journal.relayed(key, run_of(0, 0, 10));
  for (int i = 0; i < 100 && relay.journal.status().keys_behind > 0; ++i) co_await t.env_.sleep(milliseconds(200));
  EXPECT_EQ(relay.journal.status().keys_behind, 0u);
}

Task<void> expect_claims(TopicSetupTest& t, Relay& relay, LinkPartition key, bool there) {
  auto claims = co_await relay.journal.claims(key, t.soon());
  CO_ASSERT_OK(claims);
  EXPECT_EQ(claims->last_run.has_value(), there);
}

ASYNC_TEST_F(TopicSetupTest, TopicThatIsGoneFromTheTargetIsRelayedAnewWhenThatIsWanted) {
  Relay relay(*this);
  relay.journal.start();
  WantedTopic wanted = this->wanted("orders", {});
  auto made = co_await relay.make(wanted, soon());
  CO_ASSERT_OK(made);
  const LinkPartition key{relay_link().id, made->source_id, PartitionId(0)};
  co_await relay_something(*this, relay, key);
  wanted.start_over = true;
  auto again = co_await relay.make(wanted, soon());  // it is there, so nothing starts over
  CO_ASSERT_OK(again);
  EXPECT_EQ(again->id, made->id);
  co_await expect_claims(*this, relay, key, true);
  kafka_.topics.erase("orders");
  wanted.start_over = false;
  again = co_await relay.make(wanted, soon());
  CO_ASSERT(!again);
  EXPECT_NE(again.error().detail.find("farshore mirror resume"), std::string::npos) << again.error().detail;
  wanted.start_over = true;
  again = co_await relay.make(wanted, soon());
  CO_ASSERT_OK(again);
  CO_ASSERT(kafka_.topics.count("orders") == 1);
  EXPECT_EQ(again->id.value(), kafka_.topics["orders"].id);
  EXPECT_NE(again->id, made->id);
  co_await expect_claims(*this, relay, key, false);
  relay.close();
  co_await relay.journal.stop();
}

ASYNC_TEST_F(TopicSetupTest, SourceTopicThatWasMadeAnewIsRelayedWhenTheTargetTopicIsDeleted) {
  Relay relay(*this);
  relay.journal.start();
  WantedTopic wanted = this->wanted("orders", {});
  auto made = co_await relay.make(wanted, soon());
  CO_ASSERT_OK(made);
  const LinkPartition old{relay_link().id, made->source_id, PartitionId(0)};
  co_await relay_something(*this, relay, old);
  source_kafka_.topics.erase("orders");
  WantedTopic anew = this->wanted("orders", {});
  anew.start_over = true;
  auto refused = co_await relay.make(anew, soon());
  CO_ASSERT(!refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().detail.find("delete topic orders at the target"), std::string::npos)
      << refused.error().detail;
  kafka_.topics.erase("orders");
  kafka_.add_topic("orders", 2);  // a client made it again, and wrote nothing
  auto again = co_await relay.make(anew, soon());
  CO_ASSERT_OK(again);
  EXPECT_EQ(again->source_id, SourceTopicId(anew.source.id));
  EXPECT_EQ(again->id.value(), kafka_.topics["orders"].id);
  co_await expect_claims(*this, relay, old, false);
  relay.close();
  co_await relay.journal.stop();
}

ASYNC_TEST_F(TopicSetupTest, GatewayThatDiedBeforeTheOldTranslationWasForgottenIsFollowedByOneThatForgetsIt) {
  WantedTopic wanted = this->wanted("orders", {});
  LinkPartition key{relay_link().id, SourceTopicId(wanted.source.id), PartitionId(0)};
  {
    Relay relay(*this);
    relay.journal.start();
    auto made = co_await relay.make(wanted, soon());
    CO_ASSERT_OK(made);
    co_await relay_something(*this, relay, key);
    kafka_.topics.erase("orders");
    wanted.start_over = true;
    int written = 0;  // the first one is the topic's entry, the others are what is forgotten
    kafka_.fate = [&written](int16_t api) {
      return api == kProduceKey && written++ > 0 ? Fate::kLoseRequest : Fate::kAnswer;
    };
    auto half = co_await relay.make(wanted, env_.in(seconds(20)));
    EXPECT_FALSE(half);
    EXPECT_EQ(kafka_.topics.count("orders"), 0u);
    relay.close();
    co_await relay.journal.stop();
  }
  kafka_.fate = nullptr;
  Relay fresh(*this);
  fresh.journal.start();
  auto made = co_await fresh.make(wanted, soon());
  CO_ASSERT_OK(made);
  EXPECT_EQ(kafka_.topics.count("orders"), 1u);
  co_await expect_claims(*this, fresh, key, false);
  fresh.close();
  co_await fresh.journal.stop();
}

ASYNC_TEST_F(TopicSetupTest, TopicThatWasNeverMadeIsMadeAlsoAfterItsSourceTopicWasMadeAnew) {
  Relay relay(*this);
  kafka_.add_topic("orders", 2);
  BatchBuilder builder;
  builder.add(1'700'000'000'000, "key", "value");
  kafka_.append("orders", 0, builder.build());
  WantedTopic old = this->wanted("orders", {});
  auto refused = co_await relay.make(old, soon());
  EXPECT_ERROR(refused, ErrorCode::kInvalidArgument);
  source_kafka_.topics.erase("orders");
  WantedTopic anew = this->wanted("orders", {});
  refused = co_await relay.make(anew, soon());
  CO_ASSERT(!refused);
  EXPECT_NE(refused.error().detail.find("holds records that this link did not relay"), std::string::npos)
      << refused.error().detail;
  kafka_.topics.erase("orders");
  auto made = co_await relay.make(anew, soon());
  CO_ASSERT_OK(made);
  EXPECT_EQ(made->source_id, SourceTopicId(anew.source.id));
  relay.close();
}

ASYNC_TEST_F(TopicSetupTest, EntryThatCannotBeReadRefusesItsOwnTopicOnlyAndIsReplacedWhenTheTopicIsDeleted) {
  Relay relay(*this);
  relay.journal.start();
  kafka_.add_topic("orders", 2);
  BatchBuilder builder;
  builder.add(1'700'000'000'000, "key", "value");
  kafka_.append("orders", 0, builder.build());
  const std::string key = relay_topic_key("l", "orders");
  StoredEntry broken = entry(key, R"({"v": 99})", 0);
  CO_DO(co_await put(relay.store, broken, soon()));
  WantedTopic other = this->wanted("other", {}), orders = this->wanted("orders", {});
  other.start_over = orders.start_over = true;
  auto adopted = co_await relay.target.adopt(soon());
  CO_ASSERT_OK(adopted);
  auto made = co_await relay.make(other, soon());
  CO_ASSERT_OK(made);
  auto refused = co_await relay.make(orders, soon());
  CO_ASSERT(!refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().detail.find(key), std::string::npos) << refused.error().detail;
  EXPECT_NE(refused.error().detail.find("delete topic orders at the target"), std::string::npos);
  auto gone = co_await relay.target.gone(soon());
  CO_ASSERT_OK(gone);
  EXPECT_EQ(gone->count("orders"), 1u) << "shown also while the source does not answer";
  kafka_.topics.erase("orders");
  made = co_await relay.make(orders, soon());
  CO_ASSERT_OK(made);
  EXPECT_EQ(made->id.value(), kafka_.topics.at("orders").id);
  gone = co_await relay.target.gone(soon());
  CO_ASSERT_OK(gone);
  EXPECT_TRUE(gone->empty());
  relay.close();
  co_await relay.journal.stop();
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
