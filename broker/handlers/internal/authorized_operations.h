// authorized_operations of a response (KIP-430): without an authorizer, all operations that exist for the resource
// type.
#pragma once

#include <initializer_list>

#include "broker/net/authorization.h"

namespace farshore::broker {

// As the wire has them: bit n is the operation with code n.
constexpr int32_t operation_bits(std::initializer_list<AclOperation> operations) {
  int32_t bits = 0;
  for (AclOperation operation : operations) bits |= 1 << static_cast<int>(operation);
  return bits;
}

inline constexpr int32_t kTopicOperations = operation_bits(
    {AclOperation::kRead, AclOperation::kWrite, AclOperation::kCreate, AclOperation::kDelete, AclOperation::kAlter,
     AclOperation::kDescribe, AclOperation::kDescribeConfigs, AclOperation::kAlterConfigs});
inline constexpr int32_t kGroupOperations =
    operation_bits({AclOperation::kRead, AclOperation::kDelete, AclOperation::kDescribe, AclOperation::kDescribeConfigs,
                    AclOperation::kAlterConfigs});
inline constexpr int32_t kClusterOperations =
    operation_bits({AclOperation::kCreate, AclOperation::kAlter, AclOperation::kDescribe, AclOperation::kClusterAction,
                    AclOperation::kDescribeConfigs, AclOperation::kAlterConfigs, AclOperation::kIdempotentWrite});

}  // namespace farshore::broker
