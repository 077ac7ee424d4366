// The keys of everything that a link stores at its target, and the names under which it stores there. On a Farshore
// target the entries are in its link metastore (link_metastore.h); on any other Kafka cluster they are records of the
// compacted topic __farshore_links. The keys are the same in both.
//
//   link/<name>                 the link's definition and state                         stored_link.h
//   link/<name>/group/<group>   the offsets that the link committed to a target group   group_memory.h
//   link/<name>/topic/<topic>   a relay link's topic at the target                      relay_topic.h
//   link/<name>/report/<topic>  what was known of the source when the link ended a topic           end_report.h
//   link/<name>/loss/<topic>    which records of a mirror topic were lost                          loss_report.h
//   controller                  which gateway has control (__farshore_links only)       its random id, as text
//
// A link's name and a topic's name hold no '/'. A group id may hold any character.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace farshore {

inline constexpr std::string_view kLinkKeyPrefix = "link/";
inline constexpr char kControllerKey[] = "controller";

// Topics at a target that is not a Farshore cluster. Names with this prefix are never mirrored.
inline constexpr std::string_view kFarshoreTopicPrefix = "__farshore_";
inline constexpr char kLinksTopic[] = "__farshore_links";          // one partition, compacted
inline constexpr char kTranslationTopic[] = "__farshore_offsets";  // offsets/translation/FORMAT.md
// The transactional id whose owner may write kLinksTopic.
inline constexpr char kControlTransactionalId[] = "farshore.control";

std::string link_key(std::string_view link);
std::string link_children_prefix(std::string_view link);  // all entries of the link but its own
std::string group_memory_key(std::string_view link, std::string_view group);
std::string relay_topic_key(std::string_view link, std::string_view topic);
std::string end_report_key(std::string_view link, std::string_view topic);
std::string loss_report_key(std::string_view link, std::string_view topic);

struct LinkKey {
  enum class Kind : uint8_t {
    kLink,
    kGroupMemory,
    kRelayTopic,
    kEndReport,
    kLossReport,
    kOther  // no key of this version of Farshore
  };
  Kind kind = Kind::kOther;
  std::string link;   // also with kOther, if the key begins with link/<name>/
  std::string child;  // group or topic; empty for kLink
  friend bool operator==(const LinkKey&, const LinkKey&) = default;
};
LinkKey parse_link_key(std::string_view key);

}  // namespace farshore
