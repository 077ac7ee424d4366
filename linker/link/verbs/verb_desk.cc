#include "linker/link/verbs/verb_desk.h"

namespace farshore::linker {
namespace {

constexpr const char* kPromoteVerb = "promote";

}  // namespace

Error VerbDesk::busy(const Place& at_work) const {
  const auto age = std::chrono::duration_cast<seconds>(env_.now() - at_work.since());
  const std::string what = at_work.topic_.empty() ? "the link: " : "topic " + at_work.topic_ + ": ";
  return Error(ErrorCode::kConflict, what + at_work.verb() + " is at work, since " + std::to_string(age.count()) +
                                         " s: wait for its end" +
                                         (at_work.displaced()              ? " (it is being undone)"
                                          : at_work.verb() == kPromoteVerb ? ", stop it (Ctrl-C), or fail over"
                                                                           : ""));
}

Result<VerbDesk::PlacePtr> VerbDesk::enter(const std::string& topic, const std::string& verb) {
  if (topic.empty()) {
    if (!places_.empty()) return busy(*places_.begin()->second);
    if (!displaced_.empty()) return busy(*displaced_.begin()->second);
  } else {
    if (auto ending = displaced_.find(topic); ending != displaced_.end()) return busy(*ending->second);
    if (auto link = places_.find(""); link != places_.end()) return busy(*link->second);
    if (auto found = places_.find(topic); found != places_.end()) return busy(*found->second);
  }
  return take(topic, verb);
}

Result<VerbDesk::PlacePtr> VerbDesk::enter_for_failover(const std::string& topic) {
  if (auto found = places_.find(topic); found != places_.end()) {
    if (found->second->verb() != kPromoteVerb) return busy(*found->second);
    found->second->displaced_ = true;
    displaced_.emplace(topic, found->second);
    places_.erase(found);
  }
  return take(topic, "failover");
}

VerbDesk::PlacePtr VerbDesk::take(const std::string& topic, const std::string& verb) {
  auto place = std::make_unique<Place>(*this, topic, verb, env_.now());
  places_[topic] = place.get();
  return place;
}

void VerbDesk::leave(const Place& place) {
  auto found = places_.find(place.topic_);
  if (found != places_.end() && found->second == &place) places_.erase(found);
  std::erase_if(displaced_, [&](const auto& entry) { return entry.second == &place; });
}

}  // namespace farshore::linker
