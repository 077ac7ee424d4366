#include "linker/relay/relay_topic_store.h"

#include "proto/link/keys.h"

namespace farshore::linker {
namespace {

constexpr int kConflictsMax = 5;  // changes of others that came between, in a row

// The code says that nothing is to be tried again.
Error unreadable_error(const std::string& topic, const std::string& key, const Error& why) {
  return {ErrorCode::kInvalidArgument,
          "the stored entry " + key + " cannot be read, so its topic is not relayed (" + why.to_string() +
              "): start a gateway of the release that wrote it; or delete topic " + topic +
              " at the target: then 'farshore mirror resume' replaces the entry, and relays from the source's start"};
}

}  // namespace

TargetTopic target_topic(const RelayTopic& topic) {
  TargetTopic out;
  out.topic = topic.topic;
  out.source_topic = topic.source_topic;
  out.id = topic.id;
  out.source_id = topic.source_id;
  out.partitions = topic.partitions;
  out.promotion = topic.promotion;
  return out;
}

Task<Status> RelayTopicStore::load(Deadline deadline) {
  if (loaded_) co_return ok();
  CO_TRY(auto stored, co_await store_.list(relay_topic_key(name_, ""), deadline));
  unreadable_.clear();
  for (const auto& each : stored) {
    auto topic = decode_relay_topic(each.value);
    if (!topic) {
      const std::string name = parse_link_key(each.key).child;
      unreadable_.emplace(name, unreadable_error(name, each.key, topic.error()));
      entries_[name] = Entry{RelayTopic(), each.revision};  // of no link, so nobody finds it; add() replaces it
      continue;
    }
    Entry& entry = entries_[topic->topic];  // a change may have been stored since the list was read
    if (entry.revision <= each.revision) entry = Entry{*topic, each.revision};
  }
  loaded_ = true;
  co_return ok();
}

Status RelayTopicStore::check_readable(const std::string& topic) const {
  auto found = unreadable_.find(topic);
  return found == unreadable_.end() ? ok() : Status(found->second);
}

const RelayTopic* RelayTopicStore::find(const std::string& topic) const {
  auto found = entries_.find(topic);
  return found == entries_.end() || found->second.topic.link != link_ ? nullptr : &found->second.topic;
}

std::vector<RelayTopic> RelayTopicStore::topics() const {
  std::vector<RelayTopic> out;
  for (const auto& [name, entry] : entries_)
    if (entry.topic.link == link_ && !entry.topic.id.is_zero()) out.push_back(entry.topic);
  return out;
}

Task<Result<RelayTopic>> RelayTopicStore::replace(Entry by, Deadline deadline) {
  StoredEntry stored;
  stored.key = relay_topic_key(name_, by.topic.topic);
  stored.value = encode(by.topic);
  stored.revision = by.revision;
  auto revision = co_await store_.replace(std::move(stored), deadline);
  if (!revision) {
    loaded_ = false;  // the record may be stored or not
    co_return std::move(revision).error();
  }
  by.revision = *revision;
  entries_[by.topic.topic] = by;
  co_return std::move(by.topic);
}

Task<Status> RelayTopicStore::add(RelayTopic topic, Deadline deadline) {
  Entry entry{topic, entries_[topic.topic].revision};  // instead of one that a deleted link left
  CO_TRY(RelayTopic added, co_await replace(std::move(entry), deadline));
  unreadable_.erase(added.topic);
  co_return ok();
}

Task<Result<RelayTopic>> RelayTopicStore::change(std::string topic, Change change, Deadline deadline) {
  for (int conflicts = 0;; ++conflicts) {
    CO_CHECK(co_await load(deadline));
    const RelayTopic* now = find(topic);
    if (!now) co_return Error(ErrorCode::kNotFound, "topic " + topic + " is not one of this link");
    Entry entry = entries_.at(topic);
    CO_CHECK(change(entry.topic));
    if (entry.topic == *now) co_return std::move(entry.topic);
    auto changed = co_await replace(std::move(entry), deadline);
    if (changed || changed.error() != ErrorCode::kConflict || conflicts >= kConflictsMax) co_return changed;
  }
}

// Reads the entries of links, and one entry of each: never all that belongs to them.
Task<Status> RelayTopicStore::check_owner(std::string topic, Deadline deadline) {
  CO_TRY(auto links, co_await store_.links(deadline));
  for (const auto& each : links) {
    const std::string link = parse_link_key(each.key).link;
    if (link == name_) continue;
    CO_TRY(StoredEntry theirs, co_await store_.read(relay_topic_key(link, topic), deadline));
    if (theirs.revision != 0)
      co_return Error(ErrorCode::kInvalidArgument, "topic " + topic + " at the target belongs to another link, " +
                                                       link +
                                                       ": two links cannot fill one topic; give this one a --prefix");
  }
  co_return ok();
}

}  // namespace farshore::linker
