#include "linker/config.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <set>
#include <sstream>

namespace farshore::linker {
namespace {

using enum ConfigType;

constexpr size_t kFileBytesMax = 1 << 20;
constexpr int kNestingMax = 8;
constexpr double kGibibyte = 1 << 30;

std::vector<ConfigKey> keys() {
  return {
      {"target", kString, "", "Bootstrap of the target cluster, where links are stored: HOST:PORT[,HOST:PORT...]."},
      {"target.cluster.id", kString, "",
       "The cluster id that the target must have; another cluster is refused. Empty: any."},
      {"api", kString, "127.0.0.1:9870", "HOST:PORT of the control API (gRPC, loopback only); port 0: a free one."},
      {"http", kString, "", "HOST:PORT for /metrics, /healthz and /readyz; empty: not served."},
      {"data", kString, "",
       "Directory for the local image of relay translations. Empty: in memory, rebuilt from the target at each start."},
      {"debug", kBool, "false", "Log more."},
      {"links.max", kInt, "256", "Links of this gateway; more are refused.", 1, 10000},
      {"target.retry.ms", kLong, "1000", "How often the target is tried again while it does not answer at the start.",
       10, 600000},

      {"metrics.topics.max", kInt, "100", "How many topics of each link get their own series in /metrics.", 0, 10000},

      // Of every link. Memory: about links * link.inflight.max.bytes, when all of them are behind.
      {"link.inflight.max.bytes", kLong, "67108864",
       "Bytes of one link that are received and not yet acknowledged by the target. At this limit, fetching waits.",
       262144, 64 * kGibibyte},
      {"link.inflight.min.bytes", kLong, "8388608",
       "The same limit for a near source and target; it grows with the round-trip time up to link.inflight.max.bytes.",
       262144, 64 * kGibibyte},
      {"partition.buffered.max.bytes", kLong, "16777216",
       "Bytes of one partition that are received and not yet sent. At this limit, the partition is not fetched.", 65536,
       8 * kGibibyte},
      {"fetch.max.bytes", kInt, "33554432",
       "The largest fetch response that is requested from one broker of the source.", 262144, kGibibyte},
      {"max.partition.fetch.bytes", kInt, "16777216", "The most bytes of one partition in a fetch response.", 65536,
       kGibibyte},
      {"fetch.ahead.max.bytes", kLong, "50331648",
       "Bytes that are requested ahead for partitions far behind, if the source is 10 ms away or more. 0: one request "
       "at a time.",
       0, 64 * kGibibyte},
      {"fetch.max.wait.ms", kInt, "500", "How long the source may hold a fetch while it has no new records.", 1, 30000},
      {"fetch.silence.max.ms", kInt, "9500",
       "If a source broker sends nothing for fetch.max.wait.ms plus this time, the gateway connects to it again.", 100,
       600000},
      {"fetch.gather.max.ms", kInt, "2",
       "How long the next fetch waits after a small response: fewer, larger requests, at the price of this much lag.",
       0, 10000},
      {"fetchers.per.broker", kInt, "1", "Connections to each broker of the source; partitions are spread over them.",
       1, 64},
      {"metadata.interval.ms", kInt, "10000",
       "How often the source's metadata (the leaders of its partitions) is requested.", 100, 3600000},
      {"crc.verify", kBool, "true", "Whether each batch's CRC is checked as it comes in."},
  };
}

Error invalid(std::string text) { return {ErrorCode::kInvalidArgument, std::move(text)}; }

// yaml-cpp reports by throwing; flatten() and its caller are the edge where that ends (see parse_gateway_yaml).
class Flattener {
 public:
  Flattener(Config& config, std::string_view where) : config_(config), where_(where) {}

  Status mapping(const YAML::Node& node, const std::string& prefix, int depth) {
    if (depth > kNestingMax)
      return invalid("mappings are nested too deep: write the key with dots (link.inflight.max.bytes)").in(place(node));
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return invalid("a key must be a word").in(place(node));
      const std::string name = prefix + entry.first.Scalar();
      const YAML::Node& value = entry.second;
      if (value.IsMap()) {
        // With aliases a few bytes stand for any number of mappings; a setting in each of them ends that soon.
        if (value.size() == 0) return invalid("'" + name + "' is a mapping with nothing in it").in(place(entry.first));
        FARSHORE_CHECK(mapping(value, name + ".", depth + 1));
        continue;
      }
      if (!set_.insert(name).second) return invalid("'" + name + "' is set twice").in(place(entry.first));
      std::string text;
      if (value.IsSequence()) {
        for (const auto& part : value) {
          if (!part.IsScalar()) return invalid("'" + name + "' takes a list of plain values").in(place(value));
          text += (text.empty() ? "" : ",") + part.Scalar();
          if (text.size() > kFileBytesMax)
            return invalid("'" + name + "' is a list of more than 1 MiB").in(place(value));
        }
      } else if (value.IsScalar()) {
        text = value.Scalar();
      }  // nothing after the colon: an empty value
      if (auto set = config_.set(name, std::move(text)); !set) return std::move(set).error().in(place(entry.first));
    }
    return ok();
  }

  std::string place(const YAML::Node& node) const { return place(node.Mark()); }
  std::string place(const YAML::Mark& mark) const {
    return std::string(where_) + (mark.is_null() ? "" : ":" + std::to_string(mark.line + 1));
  }

 private:
  Config& config_;
  std::string_view where_;
  std::set<std::string> set_;
};

// Sees a document go by, and keeps nothing of it.
class Passing final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// Not by YAML::LoadAll: behind a bracket that closes nothing it finds documents for ever (yaml-cpp 0.7).
bool has_second_document(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  Passing passing;
  return parser.HandleNextDocument(passing) && parser.HandleNextDocument(passing);
}

}  // namespace

const ConfigSchema& gateway_schema() {
  static const ConfigSchema schema(keys());
  return schema;
}

Status parse_gateway_yaml(Config& config, std::string_view text, std::string_view where) {
  if (text.size() > kFileBytesMax) return invalid("a configuration file of more than 1 MiB").in(where);
  Flattener flattener(config, where);
  try {
    const std::string whole(text);
    if (has_second_document(whole)) return invalid("more than one YAML document").in(where);
    const YAML::Node document = YAML::Load(whole);
    if (document.IsNull()) return ok();  // nothing but comments
    if (!document.IsMap()) return invalid("a mapping is expected: key: value, one a line").in(where);
    return flattener.mapping(document, "", 0);
  } catch (const YAML::Exception& e) {
    return invalid("not YAML: " + e.msg).in(flattener.place(e.mark));
  }
}

Status set_gateway_key(Config& config, std::string_view setting) {
  auto equals = setting.find('=');
  if (equals == std::string_view::npos)
    return invalid("--set takes key=value, not '" + std::string(setting.substr(0, 256)) + "'");
  auto set = config.set(std::string(setting.substr(0, equals)), std::string(setting.substr(equals + 1)));
  if (!set) return std::move(set).error().in("--set");
  return ok();
}

Result<GatewaySettings> gateway_settings(const Config& config) {
  GatewaySettings settings;
  auto bytes = [&](std::string_view name) { return static_cast<size_t>(config.number(name)); };
  auto ms = [&](std::string_view name) { return Duration(milliseconds(config.number(name))); };
  GatewayOptions& gateway = settings.gateway;
  if (config.text("target").empty())
    return invalid("no target: say where links are stored, with --target HOST:PORT or 'target: HOST:PORT' in --config");
  auto target = parse_bootstrap(config.text("target"));
  if (!target) return std::move(target).error().in("target");
  gateway.target = std::move(*target);
  gateway.target_cluster_id = ClusterId(config.text("target.cluster.id"));
  auto api = Endpoint::parse(config.text("api"));
  if (!api) return std::move(api).error().in("api");
  settings.api = std::move(*api);
  if (auto text = config.text("http"); !text.empty()) {
    auto http = Endpoint::parse(text);
    if (!http) return std::move(http).error().in("http");
    settings.http = std::move(*http);
  }
  settings.data = config.text("data");
  settings.debug = config.flag("debug");
  gateway.links_max = bytes("links.max");
  gateway.metrics_topics_max = bytes("metrics.topics.max");
  gateway.retry = ms("target.retry.ms");

  replicator::ReplicatorOptions& link = gateway.replicator;
  link.inflight_bytes_max = bytes("link.inflight.max.bytes");
  link.lanes_per_broker = static_cast<int32_t>(config.number("fetchers.per.broker"));
  link.metadata_interval = ms("metadata.interval.ms");
  link.pump.buffered_bytes_max = bytes("partition.buffered.max.bytes");
  link.pump.verify_crc = config.flag("crc.verify");
  link.fetcher.max_wait = ms("fetch.max.wait.ms");
  link.fetcher.silence_max = ms("fetch.silence.max.ms");
  link.fetcher.lag_target = ms("fetch.gather.max.ms");
  link.fetcher.response_bytes_max = bytes("fetch.max.bytes");
  link.fetcher.partition_bytes_max = bytes("max.partition.fetch.bytes");
  link.fetcher.window_bytes_min = bytes("link.inflight.min.bytes");
  link.fetcher.ahead_bytes_max = bytes("fetch.ahead.max.bytes");
  if (link.pump.buffered_bytes_max > link.inflight_bytes_max)
    return invalid("partition.buffered.max.bytes is above link.inflight.max.bytes, which holds all partitions");
  return settings;
}

std::string gateway_config_help() { return help_text(gateway_schema()); }

}  // namespace farshore::linker
