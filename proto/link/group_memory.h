// GroupMemory: the write-ahead record of the offsets that a link commits to one consumer group of the target, under
// link/<name>/group/<group> (keys.h): JSON with a format version. The link stores {new, previous} before it commits. So
// after a crash the group has one of the two, and the next gateway recognises it as the link's own. Without the record
// the link would take its own commit for a consumer's and never lower it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace farshore {

struct WrittenOffset {
  TargetOffset offset;
  std::optional<TargetOffset> before;  // the link's commit before that; none: it had committed nothing
  friend bool operator==(const WrittenOffset&, const WrittenOffset&) = default;
};
using GroupMemory = std::map<TopicPartition, WrittenOffset>;  // topics by their names at the target

std::string encode(const GroupMemory& memory);
// Rows that cannot be read are left out; offsets without a row count as a consumer's.
GroupMemory decode_group_memory(std::string_view json);

}  // namespace farshore
