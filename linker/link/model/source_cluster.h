// SourceCluster: the connections of one link to its source, and whether the source is a Farshore cluster. Bytes have
// connections of their own, so that they never wait behind metadata.
// Executor: the Env's. Owner: Link. Deadlines are the caller's.
#pragma once

#include <map>
#include <string>

#include "linker/target/link_target.h"

namespace farshore::linker {

class SourceCluster {
 public:
  // `env` and `connector` outlive it. Connects to nothing yet.
  SourceCluster(Env& env, Connector& connector, const LinkSpec& spec);

  ClusterAdmin& admin() { return admin_; }
  MirrorClient& mirrors() { return mirrors_; }  // answers only if the source is a Farshore cluster
  kafka::ClusterClient& data() { return data_; }
  LinkSource as_source() { return {admin_, mirrors_, farshore_}; }
  LinkSource for_verification() { return {admin_, verify_mirrors_, farshore_}; }  // with a connection of its own

  // Whether it is known which kind of cluster the source is: from the link's definition, or because it has answered.
  bool known() const { return known_; }
  bool farshore() const { return farshore_; }  // false while that is not known
  void set_farshore(bool farshore) {
    farshore_ = farshore;
    known_ = true;
  }

  // The same cluster has other addresses from now on.
  void set_bootstrap(const std::vector<Endpoint>& bootstrap);
  const std::vector<Endpoint>& bootstrap() const { return bootstrap_; }

  // The end offset of each partition, asked from the leaders. kNotFound: the topic is gone.
  Task<Result<std::map<int32_t, int64_t>>> end_offsets(std::string topic, Deadline deadline);
  void close();

 private:
  Task<void> ask_end(TopicPartition where, Deadline deadline, std::map<int32_t, int64_t>& ends, Status& result);

  Env& env_;
  std::vector<Endpoint> bootstrap_;
  ClusterAdmin admin_;
  MirrorClient mirrors_;
  kafka::ClusterClient data_, verify_;
  MirrorClient verify_mirrors_;
  bool known_, farshore_;
};

}  // namespace farshore::linker
