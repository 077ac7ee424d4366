#include "offsets/client/consumer/internal/member_properties.h"

#include <array>

namespace farshore::client {
namespace {

constexpr const char* kOurs[] = {"bootstrap.servers",
                                 "metadata.broker.list",
                                 "group.id",
                                 "enable.auto.commit",
                                 "enable.auto.offset.store",
                                 "enable.partition.eof",
                                 "partition.assignment.strategy"};
constexpr const char* kReset = "auto.offset.reset";

Problem set_property(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, 512> text{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text.data(), text.size()) == RD_KAFKA_CONF_OK) return {};
  const bool secret = name.find("password") != std::string::npos || name.find("secret") != std::string::npos;
  return {Problem::Kind::kInvalid, name + "=" + (secret ? "(hidden)" : value) + ": " + text.data()};
}

}  // namespace

Problem check_properties(const Properties& properties) {
  for (const char* name : kOurs)
    if (properties.contains(name))
      return {Problem::Kind::kInvalid, std::string(name) + " cannot be given as a property: the consumer sets it"};
  KafkaConf conf(rd_kafka_conf_new());
  for (const auto& [name, value] : properties)
    if (auto problem = set_property(conf.get(), name, value)) return problem;
  return {};
}

FirstOffset first_offset(const Properties& properties) {
  auto found = properties.find(kReset);
  if (found == properties.end()) return FirstOffset::kEarliest;
  const std::string& value = found->second;
  if (value == "error") return FirstOffset::kError;
  return value == "latest" || value == "largest" || value == "end" ? FirstOffset::kLatest : FirstOffset::kEarliest;
}

KafkaConf member_conf(const Properties& properties, const Properties& ours, Problem& problem) {
  Properties all = {{kReset, "earliest"}};
  for (const auto& [name, value] : properties) all[name] = value;
  for (const auto& [name, value] : ours) all[name] = value;
  KafkaConf conf(rd_kafka_conf_new());
  for (const auto& [name, value] : all) {
    problem = set_property(conf.get(), name, value);
    if (problem) return nullptr;
  }
  return conf;
}

}  // namespace farshore::client
