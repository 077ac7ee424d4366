#include "linker/relay/topic_configs.h"

namespace farshore::linker {

const RelayTopicConfigs::Map& RelayTopicConfigs::own() {
  static const Map configs{
      {"compression.type", "producer"},
      {"message.timestamp.type", "CreateTime"},
  };
  return configs;
}

const RelayTopicConfigs::Map& RelayTopicConfigs::any_timestamp() {
  static const Map configs{
      {"message.timestamp.before.max.ms", "9223372036854775807"},
      {"message.timestamp.after.max.ms", "9223372036854775807"},
  };
  return configs;
}

RelayTopicConfigs RelayTopicConfigs::for_new_topic(const Map& source) {
  RelayTopicConfigs out;
  out.followed = any_timestamp();
  for (const auto& [key, value] : source) out.followed[key] = value;
  out.needed = own();
  for (const char* key : kRetentionKeys) out.needed[key] = kKeepAll;
  for (const auto& entry : out.needed) out.followed.erase(entry.first);
  return out;
}

RelayTopicConfigs::Map RelayTopicConfigs::all() const {
  Map out = needed;
  out.insert(followed.begin(), followed.end());
  return out;
}

RelayTopicConfigs::Declared RelayTopicConfigs::declared_retention(const Map& source) {
  Declared out;
  for (const char* key : kRetentionKeys) {
    auto found = source.find(key);
    out[key] = found == source.end() ? std::nullopt : std::optional<std::string>(found->second);
  }
  return out;
}

}  // namespace farshore::linker
