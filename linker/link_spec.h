// What a link is, as its operator defined it, and what must be remembered about it. Kept at the target cluster under
// link/<name> (a gateway machine has nothing to lose), as JSON with a format version; a write states the version of the
// entry that it replaces.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/net.h"
#include "linker/filter.h"
#include "linker/link_state.h"

namespace farshore::linker {

enum class LinkMode : uint8_t {
  kMirror,  // target is a Farshore cluster: same bytes, same offsets
  kRelay    // target is any other Kafka cluster: exact translation
};
const char* name(LinkMode mode);

enum class OnDivergence : uint8_t {
  kTruncate,  // the mirror follows the source; what was lost is named
  kStop       // the mirror topic is FAILED, naming the range
};

struct LinkSpec {
  std::string name;
  std::vector<Endpoint> source, target;  // bootstrap
  std::string source_cluster_id;         // as found at creation; another cluster at the address is refused
  std::string target_cluster_id;
  // Of the clusters' metadata, as found at creation: the same cluster id with another one is a cluster that was wiped.
  // Empty: not known (Apache Kafka, or a link that was made before they were kept).
  std::string source_incarnation, target_incarnation;
  LinkMode mode = LinkMode::kMirror;
  std::vector<Filter> topics;
  std::vector<Filter> groups{Filter{"*", PatternType::kLiteral, FilterType::kInclude}};
  std::string topic_prefix;  // put before each name at the target; offsets stay
  bool group_sync = true;
  int64_t group_sync_interval_ms = 1000;
  int64_t topic_sync_interval_ms = 5000;
  std::vector<std::string> config_include;  // topic config keys that follow the source; empty: default_config_include()
  OnDivergence on_divergence = OnDivergence::kTruncate;
  friend bool operator==(const LinkSpec&, const LinkSpec&) = default;
};

// What stands under link/<name>.
struct StoredLink {
  LinkSpec spec;
  LinkId id;
  LinkEpoch epoch;                       // raised by each gateway that takes the link over
  LinkState state = LinkState::kActive;  // as its operator wants it: ACTIVE or PAUSED; FAILED with the reason
  std::string state_reason;
  int64_t created_ms = 0;
  std::vector<std::string> paused_topics;  // at the target
  friend bool operator==(const StoredLink&, const StoredLink&) = default;
};

// Topic configs that follow the source unless the link says otherwise. Not among them: replication factor and
// min.insync.replicas (the target's own business), retention is mirrored although a mirror deletes nothing by itself:
// it holds after promotion.
const std::vector<std::string>& default_config_include();
// Whether the link keeps this config of its topics as the source has it.
bool follows(const LinkSpec& spec, const std::string& key);

// Checks what can be checked without asking a cluster: names, patterns, addresses, intervals. The detail names the
// field and what is allowed.
Status validate(const LinkSpec& spec);

// As parse_bootstrap() reads it.
std::string to_string(const std::vector<Endpoint>& bootstrap);

// The target's name for a topic of the source, and back. nullopt: not a name this link could have made.
std::string target_topic_name(const LinkSpec& spec, std::string_view source_topic);

// The cluster behind a known address: kConflict if it is another one than the link was made with, saying how it
// differs.
Status check_incarnation(std::string_view role, std::string_view cluster_id, std::string_view expected,
                         std::string_view found);

// Sets one property by its name, as in `link update --set key=value`. kInvalidArgument: unknown key (the nearest one is
// named, and all are listed) or a value that it cannot have; what cannot change after creation says so.
Status set_property(LinkSpec& spec, const std::string& key, const std::string& value);

std::string encode(const StoredLink& link);
// kCorrupt: not ours; kUnsupported: written by a newer gateway.
Result<StoredLink> decode_stored_link(std::string_view json);

}  // namespace farshore::linker
