#include "proto/link/link_spec.h"

#include <algorithm>

namespace farshore {
namespace {

constexpr size_t kNameBytesMax = 128, kPrefixBytesMax = 64, kFiltersMax = 1024;

Error invalid_spec(std::string text) { return {ErrorCode::kInvalidArgument, std::move(text)}; }

bool legal_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

Status check_name(std::string_view what, std::string_view text, size_t bytes_max) {
  if (text.size() > bytes_max)
    return invalid_spec(std::string(what) + " is longer than " + std::to_string(bytes_max) + " characters");
  for (char c : text)
    if (!legal_name_character(c))
      return invalid_spec(std::string(what) + " '" + std::string(text) +
                          "' may hold only letters, digits, '.', '_' and '-'");
  return ok();
}

bool includes_any(const std::vector<Filter>& filters) {
  return std::any_of(filters.begin(), filters.end(), [](const Filter& f) { return f.type == FilterType::kInclude; });
}

}  // namespace

const char* name(LinkMode mode) { return mode == LinkMode::kMirror ? "mirror" : "relay"; }
const char* name(OnDivergence what) {
  switch (what) {
    case OnDivergence::kTruncate:
      return "truncate";
    case OnDivergence::kTruncateAll:
      return "truncate-all";
    case OnDivergence::kStop:
      return "stop";
  }
  return "truncate";
}

std::optional<OnDivergence> parse_on_divergence(std::string_view text) {
  for (const OnDivergence what : {OnDivergence::kTruncate, OnDivergence::kTruncateAll, OnDivergence::kStop})
    if (text == name(what)) return what;
  return std::nullopt;
}

const char* name(OnRetentionGap what) { return what == OnRetentionGap::kStop ? "stop" : "skip"; }
const char* name(ConfigDefaults from) { return from == ConfigDefaults::kTarget ? "target" : "source"; }

const std::vector<std::string>& data_configs() {
  static const std::vector<std::string> keys{"cleanup.policy",      "retention.ms",      "retention.bytes",
                                             "delete.retention.ms", "max.message.bytes", "message.timestamp.type"};
  return keys;
}

const std::vector<std::string>& default_config_include() {
  static const std::vector<std::string> keys{
      "cleanup.policy",    "retention.ms",          "retention.bytes",          "segment.bytes",
      "segment.ms",        "compression.type",      "message.timestamp.type",   "delete.retention.ms",
      "max.message.bytes", "min.compaction.lag.ms", "min.cleanable.dirty.ratio"};
  return keys;
}

bool follows(const LinkSpec& spec, const std::string& key) {
  const auto& keys = spec.config_include.empty() ? default_config_include() : spec.config_include;
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

Status validate(const LinkSpec& spec) {
  if (spec.name.empty()) return invalid_spec("a link needs a name");
  FARSHORE_CHECK(check_name("link name", spec.name, kNameBytesMax));
  FARSHORE_CHECK(check_name("topic prefix", spec.topic_prefix, kPrefixBytesMax));
  if (spec.source.empty()) return invalid_spec("--source needs the address of a broker of the source, host:port");
  if (spec.target.empty()) return invalid_spec("--target needs the address of a broker of the target, host:port");
  for (const auto& source : spec.source)
    for (const auto& target : spec.target)
      if (source == target)
        return invalid_spec("source and target are both " + source.to_string() + ": a link joins two clusters");
  if (!includes_any(spec.topics))
    return invalid_spec(spec.topics.empty()
                            ? "--topics selects nothing: give names, 'prefix*', or '*' for everything"
                            : "--topics selects nothing: its filters only exclude ('!'); put '*' beside them to take "
                              "everything else");
  if (spec.group_sync && !includes_any(spec.groups))
    return invalid_spec(
        "--groups selects nothing: put '*' beside filters that exclude ('!') to take everything else; --no-group-sync "
        "(group.sync.enable=false) copies no commits");
  if (spec.topics.size() > kFiltersMax || spec.groups.size() > kFiltersMax)
    return invalid_spec("more than " + std::to_string(kFiltersMax) + " filters");
  return ok();
}

std::string to_string(const std::vector<Endpoint>& bootstrap) {
  std::string text;
  for (const auto& endpoint : bootstrap) {
    if (!text.empty()) text += ',';
    text += endpoint.to_string();
  }
  return text;
}

std::string target_topic_name(const LinkSpec& spec, std::string_view source_topic) {
  return spec.topic_prefix + std::string(source_topic);
}

Status check_incarnation(std::string_view role, const ClusterId& cluster, std::string_view expected,
                         std::string_view found) {
  if (expected.empty() || found.empty() || expected == found) return ok();
  return Error(ErrorCode::kConflict,
               std::string(role) + ": cluster " + cluster.value() + " was wiped: its metadata is new (incarnation " +
                   std::string(found) + ", the link was made with " + std::string(expected) +
                   "). Bring the old data back and resume the link, or delete the link and make it anew");
}

}  // namespace farshore
