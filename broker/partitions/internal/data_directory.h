// DataDirectory: the directories of logs under the data directory: which topic each belongs to, and their removal.
// Kafka's layout: `<topic>-<partition>/` with the file `partition.metadata`, which names the topic id. FORMAT.md lists
// all names.
// Executor: the broker's. Owner: PartitionTable.
#pragma once

#include <string>

#include "base/env.h"
#include "broker/metadata/cluster_image.h"

namespace farshore::broker {

class DataDirectory {
 public:
  // `files`: through which the logs use their files, so that their names are known there.
  DataDirectory(Env& env, FileSystem& files, std::string path) : env_(env), files_(files), path_(std::move(path)) {}

  std::string log_directory(const std::string& topic, int32_t partition) const;

  // Makes the directory of a log, durably, and returns its path. kCorrupt: the directory belongs to another topic id,
  // or its partition.metadata cannot be read; nothing is changed then. kIo, kNoSpace.
  Task<Result<std::string>> claim(const TopicImage& topic, int32_t partition);
  // Removes a log: renames its directory first, because the topic may be created again at once. A crash in between
  // leaves a directory that clean_up() removes.
  Task<Status> remove(const std::string& topic, int32_t partition);
  // Finishes removals that a crash interrupted. A log whose topic id `image` does not have is renamed to
  // `<topic>-<partition>.<uuid>-stray` and kept: its topic may have been deleted, but the metadata may also be a
  // restored copy, or another cluster's.
  Task<Status> clean_up(const ClusterImage& image);

 private:
  Env& env_;
  FileSystem& files_;
  const std::string path_;
};

}  // namespace farshore::broker
