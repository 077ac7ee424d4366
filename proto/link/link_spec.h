// LinkSpec: a link as its operator defined it. link_properties.h changes single properties of it; stored_link.h stores
// it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/net.h"
#include "proto/link/filter.h"

namespace farshore {

enum class LinkMode : uint8_t {
  kMirror,  // the target is a Farshore cluster: same bytes, same offsets
  kRelay    // the target is any other Kafka cluster: other offsets, translated exactly
};
const char* name(LinkMode mode);  // mirror, relay

enum class OnDivergence : uint8_t {
  // The mirror follows the source; the lost range is reported. If nothing would be left of a partition, the mirror
  // topic
  // becomes FAILED.
  kTruncate,
  kTruncateAll,  // the same, and nothing may be left
  kStop          // the mirror topic becomes FAILED; its reason names the range
};
const char* name(OnDivergence what);                                     // truncate, truncate-all, stop
std::optional<OnDivergence> parse_on_divergence(std::string_view text);  // nullopt: it is none of them

enum class OnRetentionGap : uint8_t {
  kSkip,  // the mirror goes on behind the records that the source deleted before they were mirrored; the range is named
  kStop   // the mirror topic becomes FAILED; its reason names the range
};
const char* name(OnRetentionGap what);  // skip, stop

// Where a topic at the target gets the values of configs that decide which records it keeps and takes (data_configs()),
// if they are not set on the source's topic.
enum class ConfigDefaults : uint8_t {
  kSource,  // the values that hold at the source, by its brokers' defaults
  kTarget   // the defaults of the target's brokers
};
const char* name(ConfigDefaults from);  // source, target

struct LinkSpec {
  std::string name;
  std::vector<Endpoint> source, target;  // bootstrap addresses
  // Found when the link was created. If another cluster is at the address later, it is refused.
  ClusterId source_cluster_id, target_cluster_id;
  // Incarnation of each cluster's metadata, found when the link was created. A cluster that was wiped keeps its id and
  // gets a new incarnation. Empty: not known, because the cluster is Apache Kafka or the link is older than this field.
  std::string source_incarnation, target_incarnation;
  LinkMode mode = LinkMode::kMirror;
  std::vector<Filter> topics;
  std::vector<Filter> groups{Filter{"*", PatternType::kLiteral, FilterType::kInclude}};
  std::string topic_prefix;  // put before each topic's name at the target
  bool group_sync = true;
  int64_t group_sync_interval_ms = 1000;
  int64_t topic_sync_interval_ms = 5000;
  std::vector<std::string> config_include;  // topic configs that follow the source; empty: default_config_include()
  OnDivergence on_divergence = OnDivergence::kTruncate;
  OnRetentionGap on_retention_gap = OnRetentionGap::kSkip;
  ConfigDefaults config_defaults = ConfigDefaults::kSource;
  friend bool operator==(const LinkSpec&, const LinkSpec&) = default;
};

// Topic configs that follow the source unless the link says otherwise. The replication factor and min.insync.replicas
// are not among them: they are the target's own business. Retention is: a mirror deletes nothing by itself, but after
// the promotion its retention holds.
const std::vector<std::string>& default_config_include();
// Those of them that decide which records a topic keeps and takes. Their defaults differ from cluster to cluster, so
// they follow the source's values even where the source's topic sets none (ConfigDefaults).
const std::vector<std::string>& data_configs();
// Whether the link keeps this config of its topics as the source has it.
bool follows(const LinkSpec& spec, const std::string& key);

// Checks names, patterns, addresses and intervals without asking a cluster. kInvalidArgument: the detail names the
// field and what is allowed.
Status validate(const LinkSpec& spec);

// In the form that parse_bootstrap() reads.
std::string to_string(const std::vector<Endpoint>& bootstrap);

std::string target_topic_name(const LinkSpec& spec, std::string_view source_topic);

// kConflict: the cluster at a known address has another incarnation than the link was created with. `role` is "source"
// or "target".
Status check_incarnation(std::string_view role, const ClusterId& cluster, std::string_view expected,
                         std::string_view found);

}  // namespace farshore
