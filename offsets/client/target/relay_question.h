// RelayQuestion: one offset of a relayed partition that is to be translated.
#pragma once

#include <cstdint>
#include <string>

namespace farshore::client {

enum class RelayDirection : uint8_t { kToTarget, kToSource };

struct RelayQuestion {
  std::string link;   // empty: the only relay link that has the topic
  std::string topic;  // by its name at the cluster that the offset belongs to
  int32_t partition = 0;
  int64_t offset = 0;
  RelayDirection direction = RelayDirection::kToTarget;
  // To the target only. An offset below all translated offsets (the source deleted the record, or it was never relayed)
  // gives the first translated record, not exact. If false, such an offset is kOutOfRange.
  bool below_is_first = false;
};

}  // namespace farshore::client
