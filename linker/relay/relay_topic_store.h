// RelayTopicStore: the RelayTopic records of one relay link, kept in the LinkStore under link/<name>/topic/<topic>.
// They hold the facts that a Farshore target stores with its mirror topics. Executor: the Env's. Owner: RelayTarget.
// Deadlines are the caller's.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "linker/store/link_store.h"
#include "linker/target/link_target.h"
#include "proto/link/relay_topic.h"

namespace farshore::linker {

TargetTopic target_topic(const RelayTopic& topic);

class RelayTopicStore {
 public:
  // `store` outlives it. `link` is the link's id, `name` its name.
  RelayTopicStore(LinkStore& store, LinkId link, std::string name)
      : store_(store), link_(link), name_(std::move(name)) {}

  // Reads the records once, and again after a write that failed. To be called before the others. A record that cannot
  // be read (damaged, or of a newer release) keeps nobody from the other topics.
  Task<Status> load(Deadline deadline);
  // By topic: why its record cannot be read, with the way out. Such a topic is not relayed.
  const std::map<std::string, Error>& unreadable() const { return unreadable_; }
  Status check_readable(const std::string& topic) const;
  const RelayTopic* find(const std::string& topic) const;  // null: not a topic of this link
  std::vector<RelayTopic> topics() const;                  // of this link, those that were made at the target; by name
  // A topic that is about to be made, and is not this link's yet, or whose record cannot be read and is replaced.
  // kConflict: another record is stored; load() reads it.
  Task<Status> add(RelayTopic topic, Deadline deadline);
  // Changes the record as it is stored, and returns it. Whoever has a copy of a record cannot store it: another change
  // may have come between. So `change` is called with the newest record, again after a conflict, and touches only what
  // it is about; an error of it changes nothing and is returned. kNotFound: not a topic of this link.
  using Change = std::function<Status(RelayTopic& topic)>;
  Task<Result<RelayTopic>> change(std::string topic, Change change, Deadline deadline);
  // kInvalidArgument: another link that is stored here fills this topic; names it.
  Task<Status> check_owner(std::string topic, Deadline deadline);

 private:
  struct Entry {
    RelayTopic topic;
    int64_t revision = 0;
  };
  Task<Result<RelayTopic>> replace(Entry by, Deadline deadline);

  LinkStore& store_;
  const LinkId link_;
  const std::string name_;
  std::map<std::string, Entry> entries_;  // by topic; also those of a deleted link of the same name
  std::map<std::string, Error> unreadable_;
  bool loaded_ = false;
};

}  // namespace farshore::linker
