#include "proto/link/mirror_control.h"

#include <gtest/gtest.h>

#include <set>

#include "proto/kafka/error_code.h"
#include "proto/link/link_metastore.h"

namespace farshore {
namespace {

TEST(MirrorOperation, WireValuesAreThoseOfTheSchema) {
  const std::pair<int8_t, const char*> expected[] = {{0, "open"},          {1, "truncate"}, {2, "advance_log_start"},
                                                     {3, "promote"},       {4, "failover"}, {5, "digest"},
                                                     {6, "set_read_only"}, {7, "describe"}, {8, "create_mirror_topic"}};
  ASSERT_EQ(kMirrorOperations.size(), std::size(expected));
  for (const auto& [wire, text] : expected) {
    auto operation = parse_mirror_operation(wire);
    ASSERT_TRUE(operation) << text;
    EXPECT_EQ(wire_value(*operation), wire);
    EXPECT_EQ(name(*operation), text);
  }
  EXPECT_FALSE(parse_mirror_operation(-1));
  EXPECT_FALSE(parse_mirror_operation(9));
}

TEST(MirrorRole, WireValuesAreThoseOfTheSchemaAndOthersAreNoMirror) {
  EXPECT_EQ(mirror_role(-1), MirrorRole::kNotMirror);
  EXPECT_EQ(mirror_role(0), MirrorRole::kMirror);
  EXPECT_EQ(mirror_role(1), MirrorRole::kPromoted);
  EXPECT_EQ(mirror_role(2), MirrorRole::kFailedOver);
  EXPECT_EQ(mirror_role(3), MirrorRole::kNotMirror);
  EXPECT_FALSE(ended(MirrorRole::kNotMirror));
  EXPECT_FALSE(ended(MirrorRole::kMirror));
  EXPECT_TRUE(ended(MirrorRole::kPromoted));
  EXPECT_TRUE(ended(MirrorRole::kFailedOver));
}

TEST(LinkMetastoreOperation, WireValuesAreThoseOfTheSchema) {
  EXPECT_EQ(wire_value(LinkMetastoreOperation::kRange), 0);
  EXPECT_EQ(wire_value(LinkMetastoreOperation::kTxn), 1);
  EXPECT_EQ(parse_link_metastore_operation(1), LinkMetastoreOperation::kTxn);
  EXPECT_FALSE(parse_link_metastore_operation(2));
}

TEST(MirrorError, CodesThatStopAGatewayAreNotRetriable) {
  auto error = [](kafka::ErrorCode code) { return mirror_error(static_cast<int16_t>(code), "said the broker"); };
  EXPECT_EQ(error(kafka::ErrorCode::kProducerFenced).code, ErrorCode::kFenced);
  EXPECT_EQ(error(kafka::ErrorCode::kFencedLeaderEpoch).code, ErrorCode::kConflict);
  EXPECT_EQ(error(kafka::ErrorCode::kPolicyViolation).code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(error(kafka::ErrorCode::kInconsistentTopicId).code, ErrorCode::kNotFound);
  EXPECT_EQ(error(kafka::ErrorCode::kInvalidTopicException).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(error(kafka::ErrorCode::kNotLeaderOrFollower).code, ErrorCode::kUnavailable);
  EXPECT_EQ(error(kafka::ErrorCode::kKafkaStorageError).code, ErrorCode::kIo) << "offline is not a full disk";
  EXPECT_EQ(error(kafka::ErrorCode::kPolicyViolation).detail, "POLICY_VIOLATION: said the broker");
}

}  // namespace
}  // namespace farshore
