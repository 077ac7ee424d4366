// What a relay link keeps about one topic at the target, under link/<name>/topic/<topic>, as JSON with a format
// version. A Kafka cluster knows nothing of links: this is what a Farshore target would keep itself. With it, and with
// the translation's log of record, a gateway with an empty disk goes on.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/ids.h"
#include "proto/control/control.pb.h"

namespace farshore::linker {

struct RelayTopic {
  LinkId link;  // of another one with the same name that was deleted: not ours
  std::string topic, source_topic;
  TopicId id;         // at the target; zero: it is being made
  TopicId source_id;  // a source topic that was deleted and made anew has another one: refused
  std::string source_cluster_id;
  int32_t partitions = 0;
  bool caught_up = false;  // once: from then on the declared retention holds
  // What retention.* is to be once caught up; without a value: the target's default. Kept because the source may be
  // lost when it is needed.
  std::map<std::string, std::optional<std::string>> declared;
  std::optional<control::v1::PromotionRecord> promotion;  // ended, for ever
};

std::string relay_topic_key(const std::string& link, const std::string& topic);
// nullopt: not such a key. {link, topic}
std::optional<std::pair<std::string, std::string>> parse_relay_topic_key(std::string_view key);

std::string encode(const RelayTopic& topic);
// kCorrupt: not ours; kUnsupported: written by a newer gateway.
Result<RelayTopic> decode_relay_topic(std::string_view json);

}  // namespace farshore::linker
