// The C functions, without a cluster.
#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <thread>

#include "farshore/failover_consumer.h"
#include "farshore/farshore.h"
#include "farshore/translator.h"

namespace {

farshore_config* config_of(std::initializer_list<std::pair<const char*, const char*>> more = {}) {
  farshore_config* config = farshore_config_new();
  for (auto [name, value] :
       {std::pair{"source", "127.0.0.1:1"}, {"target", "127.0.0.1:1"}, {"group", "g"}, {"topics", "t"}})
    EXPECT_EQ(farshore_config_set(config, name, value), 0);
  for (auto [name, value] : more) EXPECT_EQ(farshore_config_set(config, name, value), 0);
  return config;
}

// The reason of the refusal; empty: it was opened.
std::string refusal(std::initializer_list<std::pair<const char*, const char*>> more) {
  farshore_config* config = config_of(more);
  farshore_consumer* consumer = farshore_consumer_open(config);
  farshore_config_free(config);
  farshore_consumer_close(consumer);
  if (consumer) return {};
  EXPECT_EQ(farshore_last_error_result(), FARSHORE_INVALID);
  EXPECT_EQ(farshore_last_error_retriable(), 0);
  return farshore_last_error();
}

TEST(CApi, InvalidConfigurationIsRefusedWithTheReason) {
  farshore_config* config = farshore_config_new();
  EXPECT_EQ(farshore_config_set(config, "source.lost.after.ms", "soon"), FARSHORE_INVALID);
  EXPECT_EQ(farshore_config_set(config, "start.without.target.after.ms", "0"), FARSHORE_INVALID);
  EXPECT_EQ(farshore_config_set(config, "group", nullptr), FARSHORE_INVALID);
  EXPECT_EQ(farshore_consumer_open(config), nullptr);
  EXPECT_EQ(std::string(farshore_last_error()), "source and target must be given");
  farshore_config_free(config);
  EXPECT_NE(refusal({{"no.such.property", "1"}}).find("no.such.property"), std::string::npos);
  EXPECT_NE(refusal({{"target.group.id", "1"}}).find("group.id"), std::string::npos);
  EXPECT_NE(refusal({{"topics", "^t.*"}}).find("names"), std::string::npos);
}

TEST(CApi, SecurityThatOurConnectionsCannotFollowIsRefused) {
  EXPECT_NE(refusal({{"security.protocol", "ssl"}}).find("TLS"), std::string::npos);
  EXPECT_NE(refusal({{"source.security.protocol", "sasl_ssl"}}).find("source"), std::string::npos);
  EXPECT_NE(refusal({{"security.protocol", "sasl_plaintext"}}).find("GSSAPI"), std::string::npos);
  EXPECT_NE(refusal({{"security.protocol", "sasl_plaintext"}, {"sasl.mechanism", "PLAIN"}}).find("sasl.username"),
            std::string::npos);
  EXPECT_EQ(refusal({{"source.security.protocol", "sasl_plaintext"},
                     {"source.sasl.mechanisms", "SCRAM-SHA-512"},
                     {"source.sasl.username", "u"},
                     {"source.sasl.password", "p"}}),
            "");
}

TEST(CApi, NegativeTimeoutsAreRefused) {
  farshore_config* config = config_of();
  farshore_consumer* consumer = farshore_consumer_open(config);
  farshore_config_free(config);
  EXPECT_EQ(farshore_consumer_poll(consumer, -1), FARSHORE_INVALID);
  EXPECT_EQ(farshore_consumer_commit(consumer, -1), FARSHORE_INVALID);
  farshore_consumer_close(consumer);
  farshore_translator* translator = farshore_translator_open("127.0.0.1:1", nullptr);
  EXPECT_EQ(farshore_to_target(translator, "t", 0, 1, -1), FARSHORE_INVALID);
  EXPECT_EQ(farshore_to_source(translator, "t", 0, 1, -1), FARSHORE_INVALID);
  farshore_translator_close(translator);
}

TEST(CApi, UnreachableClustersEndInTimeoutsAndAreToldOnce) {
  farshore_config* config = config_of();
  farshore_consumer* consumer = farshore_consumer_open(config);
  ASSERT_NE(consumer, nullptr) << farshore_last_error();
  int waiting = 0;
  for (int i = 0; i < 600 && waiting == 0; ++i)
    if (farshore_consumer_poll(consumer, 50) == FARSHORE_EVENT && farshore_event_kind(consumer) == FARSHORE_WAITING)
      ++waiting;
  EXPECT_EQ(waiting, 1);  // it does not start at the source: that may have been failed over
  EXPECT_NE(std::string(farshore_event_text(consumer)).find("the target does not answer"), std::string::npos);
  EXPECT_EQ(farshore_consumer_at_target(consumer), 0);
  farshore_consumer_shutdown(consumer);
  EXPECT_EQ(farshore_consumer_poll(consumer, 50), FARSHORE_CLOSED);
  EXPECT_EQ(farshore_last_error_fatal(), 1);
  farshore_consumer_close(consumer);
  farshore_config_free(config);
  farshore_translator* translator = farshore_translator_open("127.0.0.1:1", nullptr);
  ASSERT_NE(translator, nullptr) << farshore_last_error();
  EXPECT_EQ(farshore_to_target(translator, "t", 0, 1, 200), FARSHORE_UNAVAILABLE);
  EXPECT_EQ(farshore_last_error_retriable(), 1);
  farshore_translator_close(translator);
  EXPECT_EQ(farshore_translator_open("nonsense", nullptr), nullptr);
}

TEST(CApi, ShortCallsEndWhileALongOneOfAnotherThreadIsUnderWay) {
  farshore_config* config = config_of();
  farshore_consumer* consumer = farshore_consumer_open(config);
  farshore_config_free(config);
  // The long call ends only because of shutdown(), which another thread calls after its own short calls.
  std::thread poller([&] {
    while (farshore_consumer_poll(consumer, 3600 * 1000) != FARSHORE_CLOSED) {
    }
  });
  EXPECT_EQ(farshore_consumer_commit(consumer, 5000), 0);
  farshore_consumer_shutdown(consumer);
  poller.join();
  farshore_consumer_close(consumer);
  farshore_translator* translator = farshore_translator_open("127.0.0.1:1", nullptr);
  std::thread translating([&] { EXPECT_EQ(farshore_to_target(translator, "t", 0, 1, 3000), FARSHORE_UNAVAILABLE); });
  EXPECT_EQ(farshore_to_target(translator, "t", 0, 1, 100), FARSHORE_UNAVAILABLE);
  translating.join();
  farshore_translator_close(translator);
}

TEST(CApi, SignalsOfTheProcessStayAsTheyWere) {
  struct sigaction before {
  }, after{};
  sigaction(SIGPIPE, nullptr, &before);
  farshore_config* config = config_of();
  farshore_consumer* consumer = farshore_consumer_open(config);
  farshore_config_free(config);
  farshore_consumer_close(consumer);
  sigaction(SIGPIPE, nullptr, &after);
  EXPECT_EQ(before.sa_handler, SIG_DFL);
  EXPECT_EQ(after.sa_handler, SIG_DFL);
}

TEST(CppApi, ProblemsOfTheCFunctionsArePassedOn) {
  farshore::Problem problem;
  farshore::FailoverConsumerConfig config;
  EXPECT_EQ(farshore::FailoverConsumer::open(config, problem), nullptr);
  EXPECT_EQ(problem.kind, farshore::Problem::Kind::kInvalid);
  config.source = config.target = "127.0.0.1:1";
  config.group = "g";
  config.topics = {"a", "b"};
  config.target_properties["security.protocol"] = "plaintext";
  config.start_without_target_after = std::chrono::seconds(5);
  auto consumer = farshore::FailoverConsumer::open(config, problem);
  ASSERT_NE(consumer, nullptr) << problem.text;
  EXPECT_EQ(consumer->commit(std::chrono::milliseconds(-1)).kind, farshore::Problem::Kind::kInvalid);
  consumer->close();
  auto polled = consumer->poll(std::chrono::milliseconds(1));
  EXPECT_EQ(polled.kind, farshore::FailoverConsumer::Polled::Kind::kProblem);
  EXPECT_EQ(polled.problem.kind, farshore::Problem::Kind::kClosed);
  EXPECT_TRUE(polled.problem.fatal);
  auto translator = farshore::Translator::open({"127.0.0.1:1", "", "", {}}, problem);
  ASSERT_NE(translator, nullptr) << problem.text;
  auto position = translator->to_target("t", 0, 1, std::chrono::milliseconds(100));
  EXPECT_EQ(position.problem.kind, farshore::Problem::Kind::kUnavailable);
  EXPECT_TRUE(position.problem.retriable);
}

}  // namespace
