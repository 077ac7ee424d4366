// LinkFixture: a Link between two fake Kafka clusters ("kafka" is the source, "west" the target), with its definition
// in memory and a target that makes every topic.
#pragma once

#include "linker/link/link.h"
#include "linker/store/testing/kafka_fixture.h"
#include "linker/store/testing/memory_link_store.h"
#include "linker/target/testing/stub_target.h"

namespace farshore::linker {

class LinkFixture : public KafkaFixture {
 public:
  LinkFixture() : west_(start_broker("west")) {
    west_.cluster_id = "another";
    brokers_["west"]->run_until_listening();
    kafka_.add_topic("orders", 1);
    stored_.id = LinkId{{1}};
    stored_.epoch = LinkEpoch(4);
    stored_.spec.name = "a";
    stored_.spec.source = {Endpoint{"kafka", 9092}};
    stored_.spec.target = {Endpoint{"west", 9092}};
    stored_.spec.topics.emplace_back().name = "orders";
    stored_.spec.group_sync = false;  // the fake knows no groups
  }
  ~LinkFixture() override {
    brokers_["west"]->kill();
    world_.kill(env_);
  }
  Link& link() {
    if (link_) return *link_;
    store_.stored.key = "link/a";
    if (store_.stored.value.empty()) store_.stored.value = encode(stored_);
    store_.stored.revision = 1;
    auto target = std::make_unique<StubTarget>(env_, env_.network(), sink_);
    target_ = target.get();
    link_ = std::make_unique<Link>(env_, env_.network(), arena_, store_, std::move(target), stored_, 1,
                                   replicator::ReplicatorOptions());
    return *link_;
  }
  // Another gateway has the link from now on; the one before does nothing any more.
  void restart() {
    world_.run(env_, link_->stop(), seconds(60));
    link_.reset();
    stored_.epoch = stored_.epoch + 1;
    store_.stored.value.clear();
    link().start();
  }
  std::optional<api::MirrorTopic> topic(const std::string& name) { return link().view().describe_topic(name); }
  std::string topic_state(const std::string& name) {
    const auto found = topic(name);
    return found ? found->state() : "";
  }
  LinkState state() { return parse_link_state(link().view().describe().state()).value(); }
  bool becomes(const std::function<bool()>& done) { return world_.run_until(done, seconds(60)) == sim::RunEnd::kDone; }

  kafka::FakeKafka& west_;
  SlabArena arena_;
  StoredLink stored_;
  MemoryLinkStore store_;
  StubSink sink_;
  StubTarget* target_ = nullptr;  // of link_
  std::unique_ptr<Link> link_;
};

}  // namespace farshore::linker
