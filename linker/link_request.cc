#include "linker/link_request.h"

#include "proto/link/link_properties.h"

namespace farshore::linker {
namespace {

Filter filter_of(const control::v1::Filter& from) {
  using Wire = control::v1::Filter;
  Filter filter;
  filter.name = from.name();
  filter.pattern = from.pattern() == Wire::PREFIXED ? PatternType::kPrefixed : PatternType::kLiteral;
  filter.type = from.kind() == Wire::EXCLUDE ? FilterType::kExclude : FilterType::kInclude;
  return filter;
}

}  // namespace

Result<LinkSpec> spec_of(const control::v1::LinkSpec& from, const std::vector<Endpoint>& default_target) {
  LinkSpec spec;
  spec.name = from.name();
  FARSHORE_TRY(spec.source, parse_bootstrap(from.source().bootstrap()));
  spec.target = default_target;
  if (!from.target().bootstrap().empty()) {
    FARSHORE_TRY(spec.target, parse_bootstrap(from.target().bootstrap()));
  }
  spec.source_cluster_id = ClusterId(from.source().cluster_id());
  spec.target_cluster_id = ClusterId(from.target().cluster_id());
  if (from.mode() == "relay") spec.mode = LinkMode::kRelay;
  if (!from.mode().empty() && from.mode() != "mirror" && from.mode() != "relay")
    return Error(ErrorCode::kInvalidArgument, "mode is mirror or relay, not '" + from.mode() + "'");
  for (const auto& filter : from.topics()) spec.topics.push_back(filter_of(filter));
  if (from.groups_size() > 0) spec.groups.clear();
  for (const auto& filter : from.groups()) spec.groups.push_back(filter_of(filter));
  spec.topic_prefix = from.topic_prefix();
  spec.group_sync = from.group_sync();
  const auto on_divergence = parse_on_divergence(from.on_divergence());
  if (!on_divergence && !from.on_divergence().empty())
    return Error(ErrorCode::kInvalidArgument,
                 "on_divergence is truncate, truncate-all or stop, not '" + from.on_divergence() + "'");
  spec.on_divergence = on_divergence.value_or(OnDivergence::kTruncate);
  if (spec.mode == LinkMode::kRelay) spec.on_divergence = OnDivergence::kStop;
  for (const auto& [key, value] : from.extra()) FARSHORE_CHECK(set_property(spec, key, value));
  FARSHORE_CHECK(validate(spec));
  return spec;
}

}  // namespace farshore::linker
