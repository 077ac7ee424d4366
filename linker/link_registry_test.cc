#include "linker/link_registry.h"

#include "linker/store/testing/kafka_fixture.h"
#include "linker/store/testing/memory_link_store.h"
#include "linker/target/testing/stub_target.h"

namespace farshore::linker {
namespace {

class StubBackend final : public LinkBackend {
 public:
  explicit StubBackend(Env& env) : env_(env) {}
  Task<Status> take_over(Deadline) override { co_return ok(); }
  LinkStore& store() override { return store_; }
  Task<Status> still_ours(Deadline) override { co_return ok(); }
  Result<std::unique_ptr<LinkTarget>> make_target(const StoredLink&) override {
    return std::unique_ptr<LinkTarget>(std::make_unique<StubTarget>(env_, env_.network(), sink_));
  }
  Task<void> stop() override { co_return; }

 private:
  Env& env_;
  MemoryLinkStore store_;
  StubSink sink_;
};

class LinkRegistryTest : public KafkaFixture {
 public:
  LinkRegistryTest() : registry_(env_, env_.network(), replicator::ReplicatorOptions()) {
    registry_.set_backend(std::make_unique<StubBackend>(env_));
  }
  ~LinkRegistryTest() override { world_.kill(env_); }
  static StoredLink named(const std::string& name) {
    StoredLink link;
    link.id = LinkId{{1}};
    link.epoch = LinkEpoch(1);
    link.spec.name = name;
    link.spec.source = {Endpoint{"kafka", 9092}};
    link.spec.target = {Endpoint{"west", 9092}};
    return link;
  }
  Task<void> stop() {
    co_await registry_.stop();
    stopped_ = true;
  }
  LinkRegistry registry_;
  bool stopped_ = false;
};

// As `link delete` and `link create` do while the gateway stops: stop() goes through the links meanwhile.
ASYNC_TEST_F(LinkRegistryTest, NothingIsAddedOrRemovedWhileTheGatewayStops) {
  for (const char* name : {"a", "b", "c"}) {
    auto added = registry_.add(named(name), 1);
    CO_ASSERT_OK(added);
  }
  auto removed = registry_.find("c");
  CO_ASSERT_OK(removed);
  EXPECT_TRUE(registry_.remove("c"));
  co_await (*removed)->stop();
  world_.spawn(env_, stop());
  co_await env_.sleep(Duration(1));
  EXPECT_FALSE(registry_.remove("a"));
  auto late = registry_.add(named("d"), 1);
  EXPECT_ERROR(late, ErrorCode::kClosed);
  for (int i = 0; i < 1000 && !stopped_; ++i) co_await env_.sleep(milliseconds(10));
  EXPECT_TRUE(stopped_);
  EXPECT_EQ(registry_.all().size(), 2U);
  registry_.clear();
}

}  // namespace
}  // namespace farshore::linker
