// RelayTopic: the record that a relay link stores about one topic at the target, under link/<name>/topic/<topic>
// (keys.h): JSON with a format version. A Farshore target stores the same in its own metadata; a Kafka cluster knows
// nothing of links. With this entry and the offset translation's log, a gateway with an empty disk goes on. libfarshore
// reads it, too.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "proto/link/promotion_record.h"

namespace farshore {

// Source offsets [from, to) of a partition that an operator gave up: they were not known to be at the target. Kept for
// ever, to be shown.
struct GivenUpRange {
  int32_t partition = 0;
  SourceOffset from, to;
  int64_t wall_ms = 0;
  std::string why;  // why the partition had FAILED
  friend bool operator==(const GivenUpRange&, const GivenUpRange&) = default;
};

// A topic that was relayed before and is not at the target any more.
struct FormerRelay {
  SourceTopicId source_id;
  int32_t partitions = 0;
  friend bool operator==(const FormerRelay&, const FormerRelay&) = default;
};

struct RelayTopic {
  LinkId link;  // if it is not the id of the link with that name, a deleted link left the entry
  std::string topic, source_topic;
  TargetTopicId id;         // zero: the topic is about to be made
  SourceTopicId source_id;  // a source topic that was deleted and made again has another id; it is refused
  ClusterId source_cluster_id;
  int32_t partitions = 0;
  bool caught_up = false;  // stays true once set; from then on the declared retention holds
  // What retention.* becomes when the relay has caught up; no value: the target's default. Stored because the source
  // may be lost by then.
  std::map<std::string, std::optional<std::string>> declared;
  std::vector<GivenUpRange> given_up;  // oldest first
  std::optional<FormerRelay> forgets;  // its translation is to be forgotten before the topic is made anew; `id` is zero
  std::optional<PromotionRecord> promotion;        // of the end that holds; none: it is relayed
  std::vector<PromotionRecord> promotions_before;  // of ends after which it was relayed again, oldest first
  friend bool operator==(const RelayTopic&, const RelayTopic&) = default;
};

std::string encode(const RelayTopic& topic);
// kCorrupt: it is no stored relay topic; kUnsupported: a newer program wrote it.
Result<RelayTopic> decode_relay_topic(std::string_view json);

}  // namespace farshore
