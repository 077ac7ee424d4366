// ClusterAddress: where a cluster is, and the properties of librdkafka that say how to connect to it
// (security.protocol, sasl.*). The connections of libfarshore itself follow the same properties.
#pragma once

#include <map>
#include <string>

namespace farshore::client {

struct ClusterAddress {
  std::string bootstrap;  // host:port[,host:port...]
  std::map<std::string, std::string> properties;
};

}  // namespace farshore::client
