#include "broker/metadata/topic_config.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/ensure.h"

namespace farshore::broker {
namespace {

using enum ConfigType;

std::vector<ConfigKey> keys() {
  return {
      {"cleanup.policy",
       kList,
       "delete",
       "What happens to old segments: delete, compact, or both.",
       -1e300,
       1e300,
       {"delete", "compact"}},
      {"compression.type",
       kString,
       "producer",
       "Batches are stored with the producer's compression.",
       -1e300,
       1e300,
       {"producer"}},
      {"delete.retention.ms", kLong, "86400000", "How long tombstones are kept.", 0},
      {"index.interval.bytes", kInt, "4096", "Bytes between two entries of the offset index.", 0},
      {"max.message.bytes", kInt, "1048588", "The largest record batch.", 0},
      {"message.timestamp.after.max.ms", kLong, "3600000", "How far in the future a record may be.", 0},
      {"message.timestamp.before.max.ms", kLong, "9223372036854775807", "How old a record may be.", 0},
      {"message.timestamp.type",
       kString,
       "CreateTime",
       "Whether a record has the producer's time (CreateTime) or the broker's (LogAppendTime).",
       -1e300,
       1e300,
       {"CreateTime", "LogAppendTime"}},
      {"min.cleanable.dirty.ratio", kDouble, "0.5", "A log is compacted when at least this part of it is uncompacted.",
       0, 1},
      {"min.compaction.lag.ms", kLong, "0", "How long a record stays uncompacted at least.", 0},
      {"min.insync.replicas", kInt, "1", "Replicas that acks=all needs; a partition has one.", 1, 1},
      {"retention.bytes", kLong, "-1", "How much of a partition is kept; -1: no limit.", -1},
      {"retention.ms", kLong, "604800000", "How long segments are kept; -1: for ever.", -1},
      {"segment.bytes", kInt, "1073741824", "The size of a segment file.", 1024},
      {"segment.index.bytes", kInt, "10485760", "The largest index file.", 4096},
      {"segment.ms", kLong, "604800000", "The age at which a new segment is begun.", 1},
  };
}

// Configs of Kafka that have no effect here. One value of each says just that, Kafka's default where it is one; tools
// set it, and it is stored and shown. Any other value is refused by name, so that no operator believes in an effect.
struct Inert {
  std::string_view name;
  ConfigType type;
  std::string_view value, reason;
  std::string_view broker = {};  // Kafka's broker property with the same default, for synonyms
};
constexpr std::string_view kNever = "9223372036854775807";
constexpr std::array kInert = {
    Inert{"compression.gzip.level", kInt, "-1", "batches are never recompressed", "compression.gzip.level"},
    Inert{"compression.lz4.level", kInt, "9", "batches are never recompressed", "compression.lz4.level"},
    Inert{"compression.zstd.level", kInt, "3", "batches are never recompressed", "compression.zstd.level"},
    Inert{"file.delete.delay.ms", kLong, "60000",
          "deleted segments stay readable for those who read them, and go at once", "log.segment.delete.delay.ms"},
    Inert{"flush.messages", kLong, kNever, "use the broker's durability=fsync", "log.flush.interval.messages"},
    Inert{"flush.ms", kLong, kNever, "use the broker's durability=fsync, or log.flush.interval.ms"},
    Inert{"follower.replication.throttled.replicas", kList, "", "a partition has one replica"},
    Inert{"leader.replication.throttled.replicas", kList, "", "a partition has one replica"},
    Inert{"local.retention.bytes", kLong, "-2", "there is no tiered storage", "log.local.retention.bytes"},
    Inert{"local.retention.ms", kLong, "-2", "there is no tiered storage", "log.local.retention.ms"},
    Inert{"max.compaction.lag.ms", kLong, kNever, "compaction has no upper limit of time",
          "log.cleaner.max.compaction.lag.ms"},
    Inert{"preallocate", kBool, "false", "segments are not preallocated", "log.preallocate"},
    Inert{"remote.log.copy.disable", kBool, "false", "there is no tiered storage"},
    Inert{"remote.log.delete.on.disable", kBool, "false", "there is no tiered storage"},
    Inert{"remote.storage.enable", kBool, "false", "there is no tiered storage"},
    Inert{"segment.jitter.ms", kLong, "0", "segments roll at segment.ms exactly"},
    Inert{"unclean.leader.election.enable", kBool, "false", "a partition has one replica",
          "unclean.leader.election.enable"},
};

const Inert* find_inert(std::string_view name) {
  auto it = std::find_if(kInert.begin(), kInert.end(), [&](const Inert& inert) { return inert.name == name; });
  return it == kInert.end() ? nullptr : &*it;
}

bool same_but_case(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

// A topic config's broker properties, most specific first; times are scaled to milliseconds.
struct Inherited {
  std::string_view topic, broker;
  int64_t scale = 1;
};
constexpr std::array kInherited = {
    Inherited{"cleanup.policy", "log.cleanup.policy"},
    Inherited{"compression.type", "compression.type"},
    Inherited{"delete.retention.ms", "log.cleaner.delete.retention.ms"},
    Inherited{"index.interval.bytes", "log.index.interval.bytes"},
    Inherited{"max.message.bytes", "message.max.bytes"},
    Inherited{"message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms"},
    Inherited{"message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms"},
    Inherited{"message.timestamp.type", "log.message.timestamp.type"},
    Inherited{"min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio"},
    Inherited{"min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms"},
    Inherited{"min.insync.replicas", "min.insync.replicas"},
    Inherited{"retention.bytes", "log.retention.bytes"},
    Inherited{"retention.ms", "log.retention.ms"},
    Inherited{"retention.ms", "log.retention.minutes", 60'000},
    Inherited{"retention.ms", "log.retention.hours", 3'600'000},
    Inherited{"segment.bytes", "log.segment.bytes"},
    Inherited{"segment.index.bytes", "log.index.size.max.bytes"},
    Inherited{"segment.ms", "log.roll.ms"},
    Inherited{"segment.ms", "log.roll.hours", 3'600'000},
};

std::string scaled(const Config& broker, const Inherited& from) {
  if (from.scale == 1) return broker.text(from.broker);
  int64_t value = broker.number(from.broker);
  return std::to_string(value < 0 ? value : value * from.scale);
}

CleanupPolicy cleanup_policy(std::string_view text) {
  bool compact = text.find("compact") != std::string_view::npos, del = text.find("delete") != std::string_view::npos;
  if (compact) return del ? CleanupPolicy::kCompactDelete : CleanupPolicy::kCompact;
  return del ? CleanupPolicy::kDelete : CleanupPolicy::kKeep;
}

// A value as Kafka shows it: parsed, and written by Java. What is stored stays as it was set.
std::string canonical(ConfigType type, std::string value) {
  if (value.empty()) return value;
  switch (type) {
    case kBool:
      for (char& c : value) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      return value;
    case kInt:
    case kLong: {
      const size_t plus = value.starts_with('+') ? 1 : 0;
      int64_t number = 0;
      auto [end, failure] = std::from_chars(value.data() + plus, value.data() + value.size(), number);
      return failure == std::errc() && end == value.data() + value.size() ? std::to_string(number) : value;
    }
    case kDouble: {
      double number = 0;
      auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
      if (failure != std::errc() || end != value.data() + value.size()) return value;
      std::array<char, 32> text{};
      auto written = std::to_chars(text.data(), text.data() + text.size(), number);
      value.assign(text.data(), written.ptr);
      return value.find_first_of(".e") == std::string::npos ? value + ".0" : value;
    }
    case kList: {
      std::string list;
      for (size_t at = 0; at <= value.size();) {
        const size_t comma = std::min(value.find(',', at), value.size());
        list += (at == 0 ? "" : ",") + trimmed_config(std::string_view(value).substr(at, comma - at));
        at = comma + 1;
      }
      return list;
    }
    case kString:
      break;
  }
  return value;
}

void canonical(DescribedConfig& described) {
  described.value = canonical(described.type, std::move(described.value));
  for (auto& synonym : described.synonyms) synonym.value = canonical(described.type, std::move(synonym.value));
}

// A topic's configs as one Config, for typed access.
class InForce {
 public:
  InForce(const Config& broker, const TopicConfigs& overrides) : values_(topic_schema()) {
    for (const auto& key : topic_schema().keys()) {
      // Checked when it was stored; what an older program allowed and this one does not, falls back to the default.
      (void)values_.set(std::string(key.name), topic_config(broker, overrides, key.name));
    }
  }
  int64_t number(std::string_view name) const { return values_.number(name); }
  double real(std::string_view name) const { return values_.real(name); }
  std::string text(std::string_view name) const { return values_.text(name); }

 private:
  Config values_;
};

}  // namespace

const ConfigSchema& topic_schema() {
  static const ConfigSchema schema(keys());
  return schema;
}

std::string trimmed_config(std::string_view value) {
  const auto first = value.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(value.substr(first, value.find_last_not_of(" \t\r\n") + 1 - first));
}

std::optional<ConfigType> topic_config_type(std::string_view name) {
  if (const ConfigKey* key = topic_schema().find(name)) return key->type;
  if (const Inert* inert = find_inert(name)) return inert->type;
  return std::nullopt;
}

Status check_topic_config(std::string_view name, std::string_view raw_value) {
  const std::string value = trimmed_config(raw_value);
  if (const Inert* inert = find_inert(name)) {
    if (same_but_case(value, inert->value)) return ok();
    return Error(ErrorCode::kInvalidArgument,
                 std::string(name) + " is not supported by this broker: " + std::string(inert->reason) + ". Only '" +
                     std::string(inert->value) + "' can be set, which has no effect");
  }
  FARSHORE_CHECK(topic_schema().check(name, value));
  if (name == "cleanup.policy" && !value.empty() && ("," + value + ",").find(",,") != std::string::npos)
    return Error(ErrorCode::kInvalidArgument, "cleanup.policy '" + value +
                                                  "' has an empty part: expected delete, "
                                                  "compact, both, or nothing at all");
  return ok();
}

Status check_topic_configs(const TopicConfigs& overrides) {
  for (const auto& [name, value] : overrides) FARSHORE_CHECK(check_topic_config(name, value));
  return ok();
}

std::string topic_config(const Config& broker, const TopicConfigs& overrides, std::string_view name) {
  if (auto it = overrides.find(std::string(name)); it != overrides.end()) return it->second;
  for (const auto& from : kInherited)
    if (from.topic == name && broker.is_set(from.broker)) return scaled(broker, from);
  if (const Inert* inert = find_inert(name)) return std::string(inert->value);
  const ConfigKey* key = topic_schema().find(name);
  ensure(key, "an undeclared topic config is read");
  return std::string(key->default_value);
}

std::vector<DescribedConfig> describe_topic_configs(const Config& broker, const TopicConfigs& overrides) {
  using Source = DescribedConfig::Source;
  std::vector<DescribedConfig> result;
  for (const auto& key : topic_schema().keys()) {
    DescribedConfig& described = result.emplace_back();
    described.name = key.name;
    described.type = key.type;
    described.help = key.help;
    if (auto it = overrides.find(described.name); it != overrides.end())
      described.synonyms.push_back({it->first, it->second, Source::kTopic});
    for (const auto& from : kInherited) {
      if (from.topic != key.name) continue;
      if (broker.is_set(from.broker))
        described.synonyms.push_back({std::string(from.broker), broker.text(from.broker), Source::kStaticBroker});
    }
    for (const auto& from : kInherited) {
      if (from.topic != key.name || from.scale != 1) continue;  // as Kafka: only what has the topic's unit
      const ConfigKey* declared = broker.schema().find(from.broker);
      if (!declared->default_value.empty())
        described.synonyms.push_back(
            {std::string(from.broker), std::string(declared->default_value), Source::kDefault});
    }
    described.value = topic_config(broker, overrides, key.name);
    described.source = described.synonyms.empty() ? Source::kDefault : described.synonyms.front().source;
  }
  for (const auto& inert : kInert) {
    DescribedConfig& described = result.emplace_back();
    described.name = inert.name;
    described.type = inert.type;
    described.help = inert.reason;
    described.value = topic_config(broker, overrides, inert.name);
    const bool set = overrides.contains(described.name);
    described.source = set ? Source::kTopic : Source::kDefault;
    if (set) described.synonyms.push_back({described.name, described.value, Source::kTopic});
    if (!inert.broker.empty())
      described.synonyms.push_back({std::string(inert.broker), std::string(inert.value), Source::kDefault});
  }
  for (auto& described : result) canonical(described);
  return result;
}

std::vector<DescribedConfig> describe_broker_configs(const Config& broker) {
  using Source = DescribedConfig::Source;
  std::vector<DescribedConfig> result;
  for (const auto& key : broker.schema().keys()) {
    DescribedConfig& described = result.emplace_back();
    described.name = key.name;
    described.type = key.type;
    described.help = key.help;
    described.read_only = true;  // there are no dynamic broker configs
    described.value = broker.text(key.name);
    bool set = broker.is_set(key.name);
    described.source = set ? Source::kStaticBroker : Source::kDefault;
    if (set) described.synonyms.push_back({described.name, described.value, Source::kStaticBroker});
    if (!key.default_value.empty())
      described.synonyms.push_back({described.name, std::string(key.default_value), Source::kDefault});
    canonical(described);
  }
  return result;
}

LogOptions log_options(const Config& broker, const TopicImage& topic) {
  InForce config(broker, topic.configs);
  LogOptions options;
  options.cleanup_policy = cleanup_policy(config.text("cleanup.policy"));
  options.segment_bytes = static_cast<uint64_t>(config.number("segment.bytes"));
  options.segment_ms = config.number("segment.ms");
  options.retention_ms = config.number("retention.ms");
  options.retention_bytes = config.number("retention.bytes");
  options.index_interval_bytes = static_cast<uint32_t>(config.number("index.interval.bytes"));
  options.segment_index_bytes = static_cast<uint32_t>(config.number("segment.index.bytes"));
  options.max_message_bytes = static_cast<uint32_t>(config.number("max.message.bytes"));
  options.log_append_time = config.text("message.timestamp.type") == "LogAppendTime";
  options.timestamp_before_max_ms = config.number("message.timestamp.before.max.ms");
  options.timestamp_after_max_ms = config.number("message.timestamp.after.max.ms");
  options.delete_retention_ms = config.number("delete.retention.ms");
  options.min_compaction_lag_ms = config.number("min.compaction.lag.ms");
  options.min_cleanable_ratio = config.real("min.cleanable.dirty.ratio");
  options.producers_max = static_cast<size_t>(broker.number("max.producer.ids.per.partition"));
  options.cleaner_dedupe_bytes = static_cast<size_t>(broker.number("log.cleaner.dedupe.buffer.size"));
  options.producer_id_expiration_ms = broker.number("producer.id.expiration.ms");
  options.follows_source = topic.mirror && !topic.mirror->writable();
  return options;
}

}  // namespace farshore::broker
