#include "broker/metadata/topic_name.h"

#include <algorithm>
#include <string>

namespace farshore::broker {
namespace {

constexpr size_t kTopicNameBytesMax = 249;  // as Kafka: room for "-<partition>" and a suffix in a file name

bool name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

Refusal invalid(std::string message) { return {kafka::ErrorCode::kInvalidTopicException, std::move(message)}; }

// The existing topic whose name differs from `name` only in '.' and '_'. nullptr: none.
const std::string* colliding(const ClusterImage& image, std::string_view name) {
  if (name.find_first_of("._") == std::string_view::npos) return nullptr;
  auto same = [](char a, char b) { return (a == '_' ? '.' : a) == (b == '_' ? '.' : b); };
  for (const auto& [other, topic] : image.topics)
    if (other != name && std::equal(other.begin(), other.end(), name.begin(), name.end(), same)) return &other;
  return nullptr;
}

}  // namespace

Refusal check_topic_syntax(std::string_view name) {
  std::string shown(name.substr(0, kTopicNameBytesMax));
  if (name.empty()) return invalid("a topic name is not empty");
  if (name == "." || name == "..") return invalid("a topic name is not '.' or '..'");
  if (name.size() > kTopicNameBytesMax) return invalid("topic name '" + shown + "...' is longer than 249 characters");
  if (!std::all_of(name.begin(), name.end(), name_character))
    return invalid("topic name '" + shown + "' has characters other than ASCII letters, digits, '.', '_' and '-'");
  return {};
}

Refusal check_topic_name(const ClusterImage& image, std::string_view name) {
  if (auto bad = check_topic_syntax(name)) return bad;
  if (const std::string* other = colliding(image, name))
    return invalid("topic name '" + std::string(name) + "' collides with existing topic '" + *other +
                   "': '.' and '_' are the same in names of metrics");
  return {};
}

}  // namespace farshore::broker
