// What one link wrote into the groups of its target, kept with the link (`link/<name>/group/<group>`). It is stored
// before it is written, with what stood there of ours until then: whatever is lost on the way, and whoever goes on, one
// of the two is what the target has. Without it a value of ours would look like a consumer's, and never be lowered.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace farshore::linker {

struct WrittenOffset {
  TargetOffset offset;
  std::optional<TargetOffset> before;
  friend bool operator==(const WrittenOffset&, const WrittenOffset&) = default;
};
using GroupMemory = std::map<TopicPartition, WrittenOffset>;

std::string encode(const GroupMemory& memory);
// What cannot be read is left out: it then counts as somebody else's.
GroupMemory decode_group_memory(std::string_view json);

}  // namespace farshore::linker
