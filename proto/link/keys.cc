#include "proto/link/keys.h"

namespace farshore {
namespace {

constexpr std::string_view kGroups = "group/", kTopics = "topic/", kReports = "report/", kLosses = "loss/";

}  // namespace

std::string link_key(std::string_view link) { return std::string(kLinkKeyPrefix).append(link); }

std::string link_children_prefix(std::string_view link) { return link_key(link) + "/"; }

std::string group_memory_key(std::string_view link, std::string_view group) {
  return link_children_prefix(link).append(kGroups).append(group);
}

std::string relay_topic_key(std::string_view link, std::string_view topic) {
  return link_children_prefix(link).append(kTopics).append(topic);
}

std::string end_report_key(std::string_view link, std::string_view topic) {
  return link_children_prefix(link).append(kReports).append(topic);
}

std::string loss_report_key(std::string_view link, std::string_view topic) {
  return link_children_prefix(link).append(kLosses).append(topic);
}

LinkKey parse_link_key(std::string_view key) {
  LinkKey out;
  if (!key.starts_with(kLinkKeyPrefix)) return out;
  key.remove_prefix(kLinkKeyPrefix.size());
  const size_t slash = key.find('/');
  out.link = std::string(key.substr(0, slash));
  if (slash == std::string_view::npos) {
    out.kind = LinkKey::Kind::kLink;
    return out;
  }
  key.remove_prefix(slash + 1);
  if (key.starts_with(kGroups)) {
    out.kind = LinkKey::Kind::kGroupMemory;
    out.child = std::string(key.substr(kGroups.size()));
  } else if (key.starts_with(kTopics)) {
    out.kind = LinkKey::Kind::kRelayTopic;
    out.child = std::string(key.substr(kTopics.size()));
  } else if (key.starts_with(kReports)) {
    out.kind = LinkKey::Kind::kEndReport;
    out.child = std::string(key.substr(kReports.size()));
  } else if (key.starts_with(kLosses)) {
    out.kind = LinkKey::Kind::kLossReport;
    out.child = std::string(key.substr(kLosses.size()));
  }
  return out;
}

}  // namespace farshore
