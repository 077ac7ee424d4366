// Topic configs: names, defaults, the broker property of each default, and the LogOptions that follow from them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "broker/log/log_options.h"
#include "broker/metadata/cluster_image.h"

namespace farshore::broker {

using TopicConfigs = std::map<std::string, std::string>;

const ConfigSchema& topic_schema();

// Without the white space around it, as Kafka reads values. What is stored is trimmed.
std::string trimmed_config(std::string_view value);
// nullopt: there is no such config.
std::optional<ConfigType> topic_config_type(std::string_view name);
// kInvalidArgument: an unknown name (the nearest valid one named), a bad value, or a feature that is refused (detail
// says so; UNSUPPORTED.md). Of a config that has no effect here, the value that says so is allowed.
Status check_topic_config(std::string_view name, std::string_view value);
// Checks each of them, and their combination.
Status check_topic_configs(const TopicConfigs& overrides);

// The value in force: the topic's override, the broker's property, or the default.
std::string topic_config(const Config& broker, const TopicConfigs& overrides, std::string_view name);

// One config with where its value comes from, for DescribeConfigs.
struct DescribedConfig {
  enum class Source : int8_t { kTopic = 1, kStaticBroker = 4, kDefault = 5 };  // Kafka's numbers
  struct Synonym {
    std::string name, value;
    Source source;
  };
  std::string name, value;
  Source source = Source::kDefault;
  ConfigType type = ConfigType::kString;
  std::string_view help;
  bool read_only = false;
  std::vector<Synonym> synonyms;  // most specific first; itself included
};
std::vector<DescribedConfig> describe_topic_configs(const Config& broker, const TopicConfigs& overrides);
std::vector<DescribedConfig> describe_broker_configs(const Config& broker);

// `topic` decides also whether the log follows a source (an active mirror).
LogOptions log_options(const Config& broker, const TopicImage& topic);

}  // namespace farshore::broker
