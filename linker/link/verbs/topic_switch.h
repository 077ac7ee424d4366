// TopicSwitch: pauses or resumes many mirror topics with one write of the link's definition, however many they are.
// Each topic has a place at the verb desk meanwhile. A topic that cannot be paused or resumed keeps nobody from the
// others.
//
// A topic that is FAILED or LEFT_OUT is resumed only if it can work: the source is asked whether it has the topic, and
// the target whether it would make the mirror. So `resume` never answers "resumed" to a topic that fails at once again.
// Executor: the Env's. Owner: the call.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "linker/link/tasks/topic_discovery.h"
#include "linker/link/verbs/caller.h"
#include "linker/link/verbs/verb_desk.h"

namespace farshore::linker {

struct TopicRefused {
  std::string topic;
  Error why;  // kInvalidArgument, kNotFound: names the way out. kConflict: another verb is at work
};

class TopicSwitch {
 public:
  using Store = std::function<Task<Status>(LinkDefinition::Edit, Deadline)>;
  // The names of paused topics are part of the definition, which a target stores as one value (a Kafka record: 1 MiB).
  static constexpr size_t kPausedNamesBytesMax = 512 << 10;

  // `store` changes the definition and applies it. References outlive it.
  TopicSwitch(LinkParts link, VerbDesk& desk, TopicDiscovery& discovery, Store store)
      : link_(link), desk_(desk), discovery_(discovery), store_(std::move(store)) {}

  // Returns the topics that were refused. An error: nothing was changed.
  Task<Result<std::vector<TopicRefused>>> run(std::vector<std::string> names, bool paused, Deadline deadline);

 private:
  struct Work {
    MirrorTopic* topic;
    VerbDesk::PlacePtr place;
  };
  static bool stuck(const MirrorTopic& topic) { return topic.state() == MirrorState::kFailed || topic.left_out(); }
  Result<Work> enter(const std::string& name, bool paused);
  void refuse(const std::string& topic, Error why);
  // Takes topics that cannot work out of work_. A source or target that does not answer decides nothing.
  Task<void> refuse_what_cannot_work(Deadline deadline);
  Task<Status> store(bool paused, Deadline deadline);

  LinkParts link_;
  VerbDesk& desk_;
  TopicDiscovery& discovery_;
  const Store store_;
  std::vector<Work> work_;
  std::vector<TopicRefused> refused_;
};

}  // namespace farshore::linker
