// The link metastore: the key-value space in which a Farshore cluster stores links and what belongs to them. Gateways
// reach it by private API 10002, which is called LinkState on the wire. It has nothing to do with the state of a link
// (link_state.h). Keys: keys.h. Messages: proto/kafka/schema/link_state.schema.
#pragma once

#include <cstdint>
#include <optional>

namespace farshore {

// Field `op` of a request.
enum class LinkMetastoreOperation : int8_t {
  kRange = 0,  // reads the entries of a key range
  kTxn = 1     // compares revisions and, if all are as given, makes all changes; durable when answered
};
constexpr int8_t wire_value(LinkMetastoreOperation operation) { return static_cast<int8_t>(operation); }
constexpr std::optional<LinkMetastoreOperation> parse_link_metastore_operation(int8_t wire) {
  if (wire == 0) return LinkMetastoreOperation::kRange;
  if (wire == 1) return LinkMetastoreOperation::kTxn;
  return std::nullopt;
}

}  // namespace farshore
