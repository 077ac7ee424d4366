// The permissions that an API asks for, in the terms of Apache Kafka's Authorizer: pairs of resource type and
// operation. Every entry of the API table states them, so that an authorizer can be added without a second list of
// APIs. Source: Kafka's documentation, "Operations and Resources on Protocols"; for the private APIs our own choice.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

namespace farshore::broker {

enum class ResourceType : int8_t { kTopic = 2, kGroup = 3, kCluster = 4, kTransactionalId = 5 };  // Kafka's codes

enum class AclOperation : int8_t {  // Kafka's codes
  kRead = 3,
  kWrite = 4,
  kCreate = 5,
  kDelete = 6,
  kAlter = 7,
  kDescribe = 8,
  kClusterAction = 9,
  kDescribeConfigs = 10,
  kAlterConfigs = 11,
  kIdempotentWrite = 12,
};

struct Permission {
  ResourceType resource;
  AclOperation operation;
  friend bool operator==(const Permission&, const Permission&) = default;
};

// The permissions that the requests of one API ask for. A request may ask for some of them only: which ones depends on
// what it contains (Produce asks for TRANSACTIONAL_ID WRITE only with a transactional id). There is no default: an API
// that asks for none says none().
class Authorization {
 public:
  Authorization(std::initializer_list<Permission> permissions) : permissions_(permissions) {}
  static Authorization none() { return Authorization(); }

  const std::vector<Permission>& permissions() const { return permissions_; }

 private:
  Authorization() = default;
  std::vector<Permission> permissions_;
};

inline constexpr Permission kTopicRead{ResourceType::kTopic, AclOperation::kRead};
inline constexpr Permission kTopicWrite{ResourceType::kTopic, AclOperation::kWrite};
inline constexpr Permission kTopicCreate{ResourceType::kTopic, AclOperation::kCreate};
inline constexpr Permission kTopicDelete{ResourceType::kTopic, AclOperation::kDelete};
inline constexpr Permission kTopicAlter{ResourceType::kTopic, AclOperation::kAlter};
inline constexpr Permission kTopicDescribe{ResourceType::kTopic, AclOperation::kDescribe};
inline constexpr Permission kTopicDescribeConfigs{ResourceType::kTopic, AclOperation::kDescribeConfigs};
inline constexpr Permission kTopicAlterConfigs{ResourceType::kTopic, AclOperation::kAlterConfigs};
inline constexpr Permission kGroupRead{ResourceType::kGroup, AclOperation::kRead};
inline constexpr Permission kGroupDelete{ResourceType::kGroup, AclOperation::kDelete};
inline constexpr Permission kGroupDescribe{ResourceType::kGroup, AclOperation::kDescribe};
inline constexpr Permission kClusterCreate{ResourceType::kCluster, AclOperation::kCreate};
inline constexpr Permission kClusterDescribe{ResourceType::kCluster, AclOperation::kDescribe};
inline constexpr Permission kClusterClusterAction{ResourceType::kCluster, AclOperation::kClusterAction};
inline constexpr Permission kClusterDescribeConfigs{ResourceType::kCluster, AclOperation::kDescribeConfigs};
inline constexpr Permission kClusterAlterConfigs{ResourceType::kCluster, AclOperation::kAlterConfigs};
inline constexpr Permission kClusterIdempotentWrite{ResourceType::kCluster, AclOperation::kIdempotentWrite};
inline constexpr Permission kTransactionalIdWrite{ResourceType::kTransactionalId, AclOperation::kWrite};
inline constexpr Permission kTransactionalIdDescribe{ResourceType::kTransactionalId, AclOperation::kDescribe};

}  // namespace farshore::broker
