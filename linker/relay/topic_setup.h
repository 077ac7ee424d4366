// TopicSetup: brings one topic of a relay link into being at the target: makes it there, grows it, finds it as it
// should be, or refuses it with the reason. The topic's record is stored before the topic is made, so that no other
// link takes the name meanwhile and a later gateway knows whose it is. Executor: the Env's. Owner: the call.
#pragma once

#include <string>
#include <vector>

#include "linker/relay/relay_topic_store.h"
#include "linker/relay/topic_configs.h"
#include "linker/relay/topic_presence.h"
#include "linker/target/link_target.h"
#include "proto/kafka/client/topic_admin.h"
#include "replicator/relay/relay_sink.h"

namespace farshore::linker {

class TopicSetup {
 public:
  struct Relay {  // the link's parts that it works with; all outlive the setup
    ClusterAdmin& target;
    RelayTopicStore& topics;
    TopicPresence& presence;
    replicator::RelaySink& sink;
    LinkId link;
    ClusterId source_cluster_id;
  };
  TopicSetup(Relay relay, LinkSource source, WantedTopic wanted);

  // With `wanted.dry_run` nothing is created; the target only validates. Refused for good (kInvalidArgument,
  // kUnsupported): a topic with records that this link did not relay, a topic of another link, a source or target topic
  // that was deleted and created again (but see `wanted.start_over`), a source with LogAppendTime or without topic ids,
  // more partitions than the source has. Configs of the source that the target refuses are left out and returned as
  // drift.
  Task<Result<TargetTopic>> run(Deadline deadline);

 private:
  using Drift = std::vector<std::string>;

  // LogAppendTime and missing topic ids are refused. Adds the source's max.message.bytes to the wanted configs.
  Task<Status> check_source(Deadline deadline);
  // The topic is known, and is relayed anew: what was relayed is not at the target any more, or never was.
  Task<Result<bool>> starts_over(RelayTopic known, Deadline deadline);
  // Stores that first, so that a gateway that dies in between does not take it for the old topic.
  Task<Status> store_start(RelayTopic fresh, Deadline deadline);
  Task<Status> forget_former(Deadline deadline);  // the translation of what was relayed before
  // ok: the record may be replaced, because nothing that it tells of is at the target. Else `readable`.
  Task<Status> replace_unreadable(Status readable, Deadline deadline);
  bool same_source(const RelayTopic& known) const;
  Task<Result<TargetTopic>> keep_known(RelayTopic known, Deadline deadline);
  Task<Status> grow(RelayTopic known, Deadline deadline);
  RelayTopic new_record() const;
  Task<Result<TargetTopic>> plan(RelayTopic topic, RelayTopicConfigs configs, Deadline deadline);
  Task<Result<Drift>> make(RelayTopic topic, RelayTopicConfigs configs, Deadline deadline);
  // If the target refuses the configs, asks for each single one, and makes the topic with those that it takes.
  Task<Result<Drift>> create(RelayTopic topic, RelayTopicConfigs configs, bool dry_run, Deadline deadline);
  // A topic that somebody else has made: configured before the first batch, which LogAppendTime would spoil for ever.
  Task<Result<Drift>> configure(std::string topic, RelayTopicConfigs configs, Deadline deadline);
  // Brokers show a new topic, or a new partition, a moment after the controller has made it.
  Task<Result<TopicInfo>> until_shown(std::string topic, int32_t partitions, Deadline deadline);

  Relay relay_;
  kafka::TopicAdmin admin_;
  LinkSource source_;
  WantedTopic wanted_;
};

}  // namespace farshore::linker
