#include "linker/relay/topic_presence.h"

#include "linker/relay/relay_target.h"
#include "linker/relay/testing/relay_gateway.h"

namespace farshore::linker {
namespace {

using TopicPresenceTest = KafkaFixture;

ASYNC_TEST_F(TopicPresenceTest, DeletedAndRecreatedTargetTopicsAreReported) {
  RelayGateway gateway(*this);
  const StoredLink link = link_named("l", 0x11);
  for (const char* name : {"kept", "made-anew", "dropped"}) {
    const RelayTopic topic = topic_of(link, name, TargetTopicId(kafka_.add_topic(name, 1).id), 1);
    CO_DO(co_await gateway.put(relay_topic_key("l", name), encode(topic)));
  }
  const RelayServices services{gateway.store, gateway.journal, gateway.translations};
  RelayTarget target(env_, env_.network(), link, services);
  auto gone = co_await target.gone(soon());
  CO_ASSERT_OK(gone);
  EXPECT_TRUE(gone->empty());
  const std::string before = kafka_.topics.at("made-anew").id.to_string();
  for (const char* name : {"made-anew", "dropped"}) kafka_.topics.erase(name);
  const std::string after = kafka_.add_topic("made-anew", 1).id.to_string();
  gone = co_await target.gone(soon());
  CO_ASSERT_OK(gone);
  CO_ASSERT(gone->size() == 1);
  const std::string why = gone->at("made-anew");
  EXPECT_NE(why.find(before), std::string::npos) << why;
  EXPECT_NE(why.find(after), std::string::npos) << why;
  // Brokers learn of topics one after another: one that is missing once may be there.
  (void)co_await target.gone(soon());
  gone = co_await target.gone(soon());
  CO_ASSERT_OK(gone);
  EXPECT_EQ(gone->size(), 2u);
  EXPECT_EQ(gone->count("kept"), 0u);
  target.close();
  co_await gateway.stop();
}

}  // namespace
}  // namespace farshore::linker
