// The configs that a relayed topic has at the target. Some are the relay's own, whatever the source says: without them
// the target would recompress batches, change their timestamps, or delete records before the relay has caught up.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace farshore::linker {

// -1 (keep everything) until the relay has caught up once.
inline constexpr const char* kRetentionKeys[] = {"retention.ms", "retention.bytes"};
inline constexpr const char* kKeepAll = "-1";

struct RelayTopicConfigs {
  using Map = std::map<std::string, std::string>;
  using Declared = std::map<std::string, std::optional<std::string>>;

  Map needed;    // without these nothing is relayed
  Map followed;  // the target may refuse them one by one

  // For a topic that is made now. `source`: the source's configs that the link follows.
  static RelayTopicConfigs for_new_topic(const Map& source);
  Map all() const;

  // What retention.* is to be once the relay has caught up; without a value: the target's default.
  static Declared declared_retention(const Map& source);
  // compression.type=producer, message.timestamp.type=CreateTime.
  static const Map& own();
  // Batches are taken whatever time their records carry. Known to Apache Kafka since 3.6; older versions take old
  // records anyway, so a refusal does not matter.
  static const Map& any_timestamp();
};

}  // namespace farshore::linker
