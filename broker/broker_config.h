// The broker's properties: Kafka's names and defaults for what we serve, ours for the rest. server.properties, --set
// and tests all go through broker_schema(): an unknown key is refused with the nearest valid one named.
#pragma once

#include <cstdint>
#include <string>

#include "base/config.h"
#include "base/net.h"
#include "base/time.h"
#include "broker/partitions/partition.h"

namespace farshore::broker {

const ConfigSchema& broker_schema();

// What the hot paths read, parsed and checked once.
// Defects that only tests switch on, to see that they are found.
struct BrokerPlants {
  // After a truncation the log still takes the old end for durable, so that the high watermark passes what replaces it
  // before that is on the disk (KAFKA-14704's order: high watermark first, truncation later).
  bool high_watermark_before_truncation = false;
};

struct BrokerOptions {
  BrokerPlants plants;
  BrokerId id;
  std::string rack;
  std::string cluster_id;        // empty: made on first start
  int64_t producer_id_salt = 0;  // 0: as stored, random at first
  Endpoint listen;
  Endpoint advertised;  // empty host: what listen is really bound to
  std::string data_dir;
  Durability durability = Durability::kPageCache;
  bool auto_create_topics = true;
  int32_t num_partitions = 1;

  size_t request_bytes_max = 0;         // socket.request.max.bytes
  size_t queued_request_bytes_max = 0;  // queued.max.request.bytes
  Duration idle_max{};                  // connections.max.idle.ms
  size_t connections_max = 0, connections_per_ip_max = 0;
  double connection_rate_max = 0;  // per second
  Duration write_max{};            // socket.write.timeout.ms: a client that does not read is cut off

  Duration retention_check{}, cleaner_backoff{};
  bool cleaner_enabled = true;
  Duration flush_interval{};  // zero: never by time
  uint64_t reserve_bytes = 0;
  int32_t topics_max = 0, partitions_per_topic_max = 0;
};

// kInvalidArgument: keys that contradict each other, or an address that is none.
Result<BrokerOptions> broker_options(const Config& config);

}  // namespace farshore::broker
