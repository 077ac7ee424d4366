// The ids that a link handles have different types. Mixing them up is a compile error, not a wrongly filled topic.
#include "proto/link/link_partition.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace farshore {
namespace {

template <class From, class To>
constexpr bool kMixes = std::is_convertible_v<From, To> || std::is_assignable_v<To&, From>;

static_assert(!kMixes<LinkId, TopicId> && !kMixes<TopicId, LinkId>);
static_assert(!kMixes<SourceTopicId, TargetTopicId> && !kMixes<TargetTopicId, SourceTopicId>);
static_assert(!kMixes<LinkId, SourceTopicId> && !kMixes<SourceTopicId, LinkId>);
static_assert(!kMixes<LinkId, TargetTopicId> && !kMixes<TargetTopicId, LinkId>);
static_assert(!kMixes<SourceTopicId, TopicId> && !kMixes<TopicId, SourceTopicId>);
static_assert(!kMixes<TargetTopicId, TopicId> && !kMixes<TopicId, TargetTopicId>);
static_assert(!std::is_constructible_v<LinkId, SourceTopicId> && !std::is_constructible_v<SourceTopicId, LinkId>);
static_assert(!std::is_constructible_v<TargetTopicId, SourceTopicId>);
static_assert(!kMixes<std::string, ClusterId> && !kMixes<ClusterId, std::string> && !kMixes<const char*, ClusterId>);
static_assert(std::is_constructible_v<LinkId, Uuid>);  // where bytes come from a wire or a file, said on purpose

TEST(LinkPartition, IsOrderedByLinkThenTopicThenPartition) {
  const LinkPartition first{LinkId{{1}}, SourceTopicId{{9}}, PartitionId(5)};
  const LinkPartition second{LinkId{{1}}, SourceTopicId{{9}}, PartitionId(6)};
  const LinkPartition third{LinkId{{2}}, SourceTopicId{{1}}, PartitionId(0)};
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
}

}  // namespace
}  // namespace farshore
