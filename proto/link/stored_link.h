// StoredLink: the value under link/<name> at the target (keys.h): JSON with a format version. A gateway machine stores
// nothing of it, so that another one can take the link over. A write states the revision of the entry that it replaces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "proto/link/link_spec.h"
#include "proto/link/link_state.h"

namespace farshore {

struct StoredLink {
  LinkSpec spec;
  LinkId id;
  LinkEpoch epoch;  // each gateway that takes the link over raises it
  // Random, new with each gateway that takes the link over: two gateways that raise the epoch to the same number never
  // store the same bytes, so neither takes the other's write for its own. Empty: stored by an older release.
  std::string writer;
  // What the operator wants: ACTIVE or PAUSED. Or FAILED, with the reason.
  LinkState state = LinkState::kActive;
  std::string state_reason;
  int64_t created_ms = 0;                  // Unix time
  std::vector<std::string> paused_topics;  // names at the target
  friend bool operator==(const StoredLink&, const StoredLink&) = default;
};

std::string encode(const StoredLink& link);
// kCorrupt: it is no stored link; kUnsupported: a newer gateway wrote it.
Result<StoredLink> decode_stored_link(std::string_view json);

}  // namespace farshore
