#include "linker/link_takeover.h"

#include "linker/gateway.h"
#include "linker/store/kafka_link_store.h"
#include "linker/store/testing/kafka_fixture.h"

namespace farshore::linker {
namespace {

class LinkTakeoverTest : public KafkaFixture {
 public:
  static std::string stored(const std::string& name) {
    StoredLink link;
    link.id = LinkId{{1}};
    link.epoch = LinkEpoch(1);
    link.spec.name = name;
    link.spec.mode = LinkMode::kRelay;
    link.spec.source = {Endpoint{"source", 9092}};
    link.spec.target = {Endpoint{"kafka", 9092}};
    link.spec.topics.emplace_back().name = "orders";
    return encode(link);
  }
  GatewayOptions options() {
    GatewayOptions out;
    out.target = {Endpoint{"kafka", 9092}};
    return out;
  }
};

// One link, by what the gateway lists.
std::optional<api::Link> listed(const api::ListLinksReply& reply, const std::string& name) {
  for (const auto& link : reply.links())
    if (link.spec().name() == name) return link;
  return std::nullopt;
}

ASYNC_TEST_F(LinkTakeoverTest, LinkThatCannotBeReadKeepsNoOtherFromRunningAndCanBeDeleted) {
  KafkaLinkStore store(env_, *cluster_);
  const std::map<std::string, std::string> entries{
      {"link/bad", R"({"v": 99})"}, {"link/bad/group/g", "{}"}, {"link/good", stored("good")}};
  for (const auto& [key, value] : entries) {
    StoredEntry each = entry(key, value, 0);
    CO_DO(co_await put(store, each, soon()));
  }
  Gateway gateway(env_, env_.network(), options());
  gateway.start();
  co_await gateway.tried();
  EXPECT_TRUE(gateway.ready()) << gateway.not_ready_reason();
  auto links = co_await gateway.list_links();
  CO_ASSERT_OK(links);
  EXPECT_EQ(links->links_size(), 2);
  EXPECT_TRUE(listed(*links, "good"));
  const auto bad = listed(*links, "bad");
  CO_ASSERT(bad);
  EXPECT_EQ(bad->state(), "FAILED");
  EXPECT_NE(bad->state_reason().find("farshore link delete bad --force"), std::string::npos) << bad->state_reason();
  auto described = co_await gateway.describe_link("bad");
  EXPECT_ERROR(described, ErrorCode::kUnsupported);
  co_await env_.sleep(seconds(10));  // the garbage of links is collected, and what a link has that may be there stays
  api::DeleteLinkRequest request;
  request.set_link("bad");
  auto deleted = co_await gateway.delete_link(request, soon());
  EXPECT_ERROR(deleted, ErrorCode::kInvalidArgument);
  request.set_force(true);
  deleted = co_await gateway.delete_link(request, soon());
  CO_ASSERT_OK(deleted);
  links = co_await gateway.list_links();
  CO_ASSERT_OK(links);
  EXPECT_EQ(links->links_size(), 1);
  co_await gateway.stop();
  KafkaLinkStore after(env_, *cluster_);
  auto left = co_await after.list("link/bad", soon());
  CO_ASSERT_OK(left);
  EXPECT_TRUE(left->empty());
}

}  // namespace
}  // namespace farshore::linker
