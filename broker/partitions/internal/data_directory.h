// DataDirectory: the directories of logs under the data directory: which topic each belongs to, and their removal.
// Kafka's layout: `<topic>-<partition>/` with the file `partition.metadata`, which names the topic id. FORMAT.md lists
// all names.
// Executor: the broker's. Owner: PartitionTable.
#pragma once

#include <string>
#include <string_view>

#include "base/env.h"
#include "broker/metadata/metadata.h"

namespace farshore::broker {

class DataDirectory {
 public:
  // `files`: through which the logs use their files, so that their names are known there.
  DataDirectory(Env& env, FileSystem& files, std::string path) : env_(env), files_(files), path_(std::move(path)) {}

  std::string log_directory(const std::string& topic, int32_t partition) const;

  // Makes the directory of a log, durably, and returns its path. A directory of a topic id that `image` does not have
  // is set aside as a stray, as in clean_up(). kCorrupt: its partition.metadata cannot be read, or is that of another
  // topic which exists; nothing is changed then. kIo, kNoSpace.
  Task<Result<std::string>> claim(const TopicImage& topic, int32_t partition, ImagePtr image);
  // Removing a log: its directory is renamed first, because the topic may be created again at once; sync(), once for
  // many; then remove() what set_aside() returned (empty: there was no such log). A crash in between leaves a directory
  // that clean_up() removes.
  Task<Result<std::string>> set_aside(std::string topic, int32_t partition);
  Task<Status> sync();
  Task<Status> remove(std::string aside);
  // Finishes removals that a crash interrupted. A log whose topic id `image` does not have is renamed to
  // `<topic>-<partition>.<uuid>-stray` and kept: its topic may have been deleted, but the metadata may also be a
  // restored copy, or another cluster's. A leftover that cannot be removed or renamed is
  // reported and stays: it never stops a start. Only a data directory that cannot be listed is an error.
  Task<Status> clean_up(const ClusterImage& image);

 private:
  std::string aside_name(std::string_view name, std::string_view suffix) const;
  Task<Status> set_stray_aside(std::string name, TopicId id);
  Task<Status> clean_up_one(const ClusterImage& image, std::string name);

  Env& env_;
  FileSystem& files_;
  const std::string path_;
};

}  // namespace farshore::broker
