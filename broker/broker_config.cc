#include "broker/broker_config.h"

#include <algorithm>
#include <string_view>

#include "broker/descriptor_budget.h"

namespace farshore::broker {
namespace {

using enum ConfigType;

std::vector<ConfigKey> keys() {
  return {
      {"node.id", kInt, "1", "The id of this broker in its cluster.", 0},
      {"broker.id", kInt, "-1", "The older name of node.id. -1: node.id is used.", -1},
      {"broker.rack", kString, "", "The rack (region, zone) that this broker is in."},
      {"cluster.id", kString, "",
       "The cluster id that the data must have. Empty: any; a new id is chosen at the first start."},
      {"producer.id.salt", kInt, "",
       "The part of all producer ids of this cluster that tells them from another cluster's. Empty: the stored value "
       "(random at the first start). Set another value if a link refuses two clusters with the same salt.",
       1, (1 << kProducerIdSaltBits) - 1},
      {"listeners", kString, "PLAINTEXT://127.0.0.1:9092",
       "Where to listen: PLAINTEXT://HOST:PORT, port 0: a free one."},
      {"advertised.listeners", kString, "", "Where clients find this broker; empty: the listener's own address."},
      {"log.dirs", kString, "data", "The data directory (one)."},
      {"log.dir", kString, "", "Another name of log.dirs."},
      {"durability",
       kString,
       "page-cache",
       "When a write is acknowledged: page-cache (written, as Apache Kafka) or fsync (synced, in groups).",
       -1e300,
       1e300,
       {"page-cache", "fsync"}},
      {"log.reserve.bytes", kLong, "134217728", "Clients' writes are refused while less disk space than this is free.",
       0},

      {"max.open.files", kLong, "1048576",
       "File descriptors that this broker uses: about half for files of logs, half for connections. The program lowers "
       "it "
       "to what the system allows (RLIMIT_NOFILE, which it raises to the hard limit).",
       256},

      {"auto.create.topics.enable", kBool, "true",
       "Makes a topic when a client asks for its metadata or writes to it."},
      {"delete.topic.enable", kBool, "true", "Whether topics can be deleted."},
      {"num.partitions", kInt, "1", "Partitions of a new topic, if the request names no number.", 1, 10000},
      {"default.replication.factor", kInt, "1", "Replicas of a new topic, if the request names no number.", 1, 1},
      {"min.insync.replicas", kInt, "1", "Replicas that acks=all needs.", 1, 1},
      {"max.topics", kInt, "20000", "How many topics this cluster may have.", 1},
      {"max.partitions", kInt, "200000",
       "How many partitions all topics of this cluster may have together. Topics of the broker itself count, and are "
       "not refused.",
       1},
      {"max.partitions.per.topic", kInt, "10000", "How many partitions one topic may have.", 1, 100000},

      {"message.max.bytes", kInt, "1048588", "The largest record batch.", 0},
      {"compression.type",
       kString,
       "producer",
       "Batches are stored with the producer's compression.",
       -1e300,
       1e300,
       {"producer"}},
      {"log.cleanup.policy", kList, "delete", "What happens to old segments.", -1e300, 1e300, {"delete", "compact"}},
      {"log.retention.hours", kInt, "168", "How long segments are kept; -1: for ever.", -1},
      {"log.retention.minutes", kInt, "", "The same in minutes; overrides the hours.", -1},
      {"log.retention.ms", kLong, "", "The same in milliseconds; overrides the minutes.", -1},
      {"log.retention.bytes", kLong, "-1", "How much of a partition is kept; -1: no limit.", -1},
      {"log.retention.check.interval.ms", kLong, "300000", "How often retention is applied.", 1},
      {"log.segment.bytes", kInt, "1073741824", "The size of a segment file.", 1024},
      {"log.roll.hours", kInt, "168", "The age at which a new segment is begun.", 1},
      {"log.roll.ms", kLong, "", "The same in milliseconds; overrides the hours.", 1},
      {"log.index.interval.bytes", kInt, "4096", "Bytes between two entries of the offset index.", 0},
      {"log.index.size.max.bytes", kInt, "10485760", "The largest index file.", 4096},
      {"log.flush.interval.ms", kLong, "", "How often logs are synced to disk. Empty: the operating system decides."},
      {"log.message.timestamp.type",
       kString,
       "CreateTime",
       "Whether a record has the producer's time (CreateTime) or the broker's (LogAppendTime).",
       -1e300,
       1e300,
       {"CreateTime", "LogAppendTime"}},
      {"log.message.timestamp.before.max.ms", kLong, "9223372036854775807", "How old a record may be.", 0},
      {"log.message.timestamp.after.max.ms", kLong, "3600000", "How far in the future a record may be.", 0},
      {"log.cleaner.enable", kBool, "true", "Whether compacted topics are compacted."},
      {"log.cleaner.backoff.ms", kLong, "15000", "How often the cleaner looks for work.", 0},
      {"log.cleaner.dedupe.buffer.size", kLong, "134217728",
       "Memory for the keys of one pass of the cleaner, 32 bytes each. More keys take more passes.", 1048576,
       2147483648.0},
      {"log.cleaner.delete.retention.ms", kLong, "86400000", "How long tombstones are kept.", 0},
      {"log.cleaner.min.compaction.lag.ms", kLong, "0", "How long a record stays uncompacted at least.", 0},
      {"log.cleaner.min.cleanable.ratio", kDouble, "0.5",
       "A log is compacted when at least this part of it is uncompacted.", 0, 1},
      {"max.producer.ids.per.partition", kInt, "100000",
       "Producers whose sequence one partition remembers. Beyond it, the one idle for the longest is forgotten, as if "
       "it "
       "had expired.",
       1},
      {"producer.id.expiration.ms", kInt, "86400000", "How long an idle producer's sequence is remembered.", 1},

      {"socket.request.max.bytes", kInt, "104857600", "The largest request.", 1024},
      {"queued.max.request.bytes", kLong, "268435456",
       "Memory for large requests under way, of all connections; one request may go beyond it.", 1048576},
      {"queued.max.response.bytes", kLong, "268435456",
       "Memory for large responses that clients have not read yet, of all connections. When it is full, connections "
       "that read slowly are closed for new responses; without any, the one that needs more is closed.",
       1048576},
      {"connections.max.idle.ms", kLong, "600000", "A connection without a request for this long is closed.", 1},
      {"socket.write.timeout.ms", kLong, "60000",
       "A client that reads no byte of its response for this long is disconnected.", 1},
      {"max.connections", kInt, "20000",
       "Connections at the same time; more are refused. Never more than the part of max.open.files that is theirs.", 1},
      {"max.connections.per.ip", kInt, "1000", "Connections of one address at the same time; more are refused.", 1},
      {"max.connection.creation.rate", kInt, "200", "New connections per second; more wait.", 1},
      {"max.incremental.fetch.session.cache.slots", kInt, "1000", "Fetch sessions at the same time.", 0},
      {"fetch.max.bytes", kInt, "57671680", "The largest fetch response.", 1024},

      {"offsets.topic.num.partitions", kInt, "50", "Partitions of __consumer_offsets, when it is made.", 1, 10000},
      {"offsets.topic.replication.factor", kInt, "1", "Replicas of __consumer_offsets.", 1, 1},
      {"offsets.topic.segment.bytes", kInt, "104857600", "Segment size of __consumer_offsets.", 1024},
      {"offsets.retention.minutes", kInt, "10080", "How long offsets of an empty group are kept.", 1},
      {"offsets.retention.check.interval.ms", kLong, "600000", "How often old offsets are looked for.", 1},
      {"offset.metadata.max.bytes", kInt, "4096", "The largest metadata text of a committed offset.", 0},
      {"group.initial.rebalance.delay.ms", kInt, "3000", "How long a new group waits for more members.", 0},
      {"group.min.session.timeout.ms", kInt, "6000", "The shortest session timeout a member may ask for.", 1},
      {"group.max.session.timeout.ms", kInt, "1800000", "The longest session timeout a member may ask for.", 1},
      {"group.max.size", kInt, "10000", "Members of one group.", 1},
  };
}

Result<Endpoint> listener(std::string_view name, std::string text) {
  if (text.find(',') != std::string::npos)
    return Error(ErrorCode::kUnsupported, std::string(name) + " has more than one listener; this broker has one");
  if (auto scheme = text.find("://"); scheme != std::string::npos) {
    if (text.substr(0, scheme) != "PLAINTEXT")
      return Error(ErrorCode::kUnsupported,
                   std::string(name) + ": protocol " + text.substr(0, scheme) + " is not served; only PLAINTEXT:// is");
    text = text.substr(scheme + 3);
  }
  if (text.starts_with(':')) text = "0.0.0.0" + text;  // Kafka: every address
  auto endpoint = Endpoint::parse(text);
  if (!endpoint) return std::move(endpoint).error().in(name);
  return endpoint;
}

size_t size_of(const Config& config, std::string_view name) { return static_cast<size_t>(config.number(name)); }
int32_t int_of(const Config& config, std::string_view name) { return static_cast<int32_t>(config.number(name)); }
Duration ms_of(const Config& config, std::string_view name) { return milliseconds(config.number(name)); }

Result<BrokerId> broker_id(const Config& config) {
  const int32_t id = int_of(config, "node.id"), old = int_of(config, "broker.id");
  if (old < 0) return BrokerId(id);
  if (config.is_set("node.id") && old != id)
    return Error(ErrorCode::kInvalidArgument, "broker.id and node.id are both set, and differ");
  return BrokerId(old);
}

Result<Endpoint> advertised_listener(const Config& config) {
  std::string text = config.text("advertised.listeners");
  if (text.empty()) return Endpoint();
  FARSHORE_TRY(Endpoint endpoint, listener("advertised.listeners", std::move(text)));
  if (endpoint.host == "0.0.0.0" || endpoint.host == "::")
    return Error(ErrorCode::kInvalidArgument,
                 "advertised.listeners must name an address that clients can reach, not " + endpoint.host);
  return endpoint;
}

Result<ServerOptions> server_options(const Config& config) {
  ServerOptions options;
  FARSHORE_TRY(options.listen, listener("listeners", config.text("listeners")));
  options.request_bytes_max = size_of(config, "socket.request.max.bytes");
  options.queued_request_bytes_max = size_of(config, "queued.max.request.bytes");
  options.idle_max = ms_of(config, "connections.max.idle.ms");
  options.queued_response_bytes_max = size_of(config, "queued.max.response.bytes");
  options.connections_max = size_of(config, "max.connections");
  options.connections_per_ip_max = size_of(config, "max.connections.per.ip");
  options.connection_rate_max = static_cast<double>(config.number("max.connection.creation.rate"));
  options.write_max = ms_of(config, "socket.write.timeout.ms");
  return options;
}

Result<PartitionOptions> partition_options(const Config& config, BrokerPlants plants) {
  PartitionOptions options;
  options.data_dir = config.text("log.dir").empty() ? config.text("log.dirs") : config.text("log.dir");
  if (options.data_dir.empty() || options.data_dir.find(',') != std::string::npos)
    return Error(ErrorCode::kUnsupported, "log.dirs must name one directory");
  options.durability = config.text("durability") == "fsync" ? Durability::kFsync : Durability::kPageCache;
  options.retention_check = ms_of(config, "log.retention.check.interval.ms");
  options.cleaner_backoff = ms_of(config, "log.cleaner.backoff.ms");
  options.cleaner_enabled = config.flag("log.cleaner.enable");
  if (config.is_set("log.flush.interval.ms")) options.flush_interval = ms_of(config, "log.flush.interval.ms");
  options.reserve_bytes = size_of(config, "log.reserve.bytes");
  options.inject_high_watermark_before_truncation = plants.high_watermark_before_truncation;
  return options;
}

Result<TopicLimits> topic_limits(const Config& config) {
  TopicLimits limits;
  limits.topics_max = int_of(config, "max.topics");
  limits.partitions_max = int_of(config, "max.partitions");
  limits.partitions_per_topic_max = int_of(config, "max.partitions.per.topic");
  limits.partitions_default = int_of(config, "num.partitions");
  if (limits.partitions_default > limits.partitions_per_topic_max)
    return Error(ErrorCode::kInvalidArgument, "num.partitions is above max.partitions.per.topic");
  return limits;
}

GroupOptions group_options(const Config& config) {
  GroupOptions options;
  options.group.initial_rebalance_delay = ms_of(config, "group.initial.rebalance.delay.ms");
  options.group.members_max = size_of(config, "group.max.size");
  options.session_timeout_min_ms = int_of(config, "group.min.session.timeout.ms");
  options.session_timeout_max_ms = int_of(config, "group.max.session.timeout.ms");
  options.partitions = int_of(config, "offsets.topic.num.partitions");
  options.segment_bytes = config.number("offsets.topic.segment.bytes");
  options.metadata_bytes_max = size_of(config, "offset.metadata.max.bytes");
  options.offsets_retention = minutes(config.number("offsets.retention.minutes"));
  options.retention_check = ms_of(config, "offsets.retention.check.interval.ms");
  return options;
}

}  // namespace

const ConfigSchema& broker_schema() {
  static const ConfigSchema schema(keys());
  return schema;
}

Result<BrokerOptions> broker_options(const Config& config, BrokerPlants plants) {
  BrokerOptions options;
  FARSHORE_TRY(options.id, broker_id(config));
  options.rack = config.text("broker.rack");
  options.cluster_id = config.text("cluster.id");
  if (!options.cluster_id.empty() && !Uuid::parse(options.cluster_id))
    return Error(ErrorCode::kInvalidArgument, "cluster.id is 22 characters of URL-safe base64, as Kafka's");
  if (config.is_set("producer.id.salt")) options.producer_id_salt = config.number("producer.id.salt");
  FARSHORE_TRY(options.server, server_options(config));
  FARSHORE_TRY(options.advertised, advertised_listener(config));
  FARSHORE_TRY(options.partitions, partition_options(config, plants));
  FARSHORE_TRY(options.topics, topic_limits(config));
  options.groups = group_options(config);
  FARSHORE_TRY(const DescriptorBudget descriptors, DescriptorBudget::divide(size_of(config, "max.open.files")));
  options.partitions.open_files_max = descriptors.log_files;
  options.server.connections_max = std::min(options.server.connections_max, descriptors.connections);
  options.fetch_sessions_max = size_of(config, "max.incremental.fetch.session.cache.slots");
  return options;
}

}  // namespace farshore::broker
