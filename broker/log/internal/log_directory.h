// LogDirectory: the directory of one log, and the files in it (FORMAT.md).
// Executor: the Env's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker/log/internal/checkpoint_file.h"
#include "broker/log/internal/gap_file.h"
#include "broker/log/internal/intent.h"
#include "broker/log/internal/segment_files.h"

namespace farshore {

class LogDirectory {
 public:
  // `files`: where the log's files are; see open_log.
  LogDirectory(Env& env, FileSystem& files, std::string path);

  Env& env() const { return env_; }
  FileSystem& files() const { return files_; }
  const std::string& path() const { return path_; }
  std::string path_of(std::string_view file) const { return join_path(path_, file); }
  SegmentFiles& segments() { return segments_; }
  CheckpointFile& checkpoint() { return checkpoint_; }
  GapFile& gaps() { return gaps_; }
  IntentFile& intent() { return intent_; }

  // Lets go of the files that are open.
  void close();
  // Creates the directory, durably, if it is missing.
  Task<Status> make();
  Task<Result<std::vector<std::string>>> names() { return files().list(path_); }
  Task<Status> sync() { return files().sync_dir(path_); }
  // Removes the files among `names` that an interrupted operation left unfinished.
  Task<Status> remove_unfinished(const std::vector<std::string>& names);
  // Fine if the file does not exist.
  Task<Status> remove_if_there(std::string_view name);

  // kCorrupt: the partition is quarantined. `names`: of the files that are there.
  Task<Status> check_not_quarantined(const std::vector<std::string>& names);
  // Marks the partition as quarantined; it then stays closed until an operator decides (FORMAT.md). Cuts and moves
  // nothing. Returns the error that opening reports.
  Task<Error> quarantine(std::string why);

 private:
  Env& env_;
  FileSystem& files_;
  std::string path_;
  SegmentFiles segments_;
  CheckpointFile checkpoint_;
  GapFile gaps_;
  IntentFile intent_;
};

}  // namespace farshore
