// SegmentFiles: the files of the segments in one directory: `.log`, the three indexes, `.snapshot` (FORMAT.md).
// Executor: the Env's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "broker/log/internal/segment.h"

namespace farshore {

class SegmentFiles {
 public:
  SegmentFiles(Env& env, FileSystem& files, std::string directory)
      : env_(env), files_(files), directory_(std::move(directory)) {}

  // Creates an empty segment file, named `<base>.log` and `name_suffix`. Its name is not durable yet.
  Task<Result<SegmentPtr>> create(Offset base, std::string_view name_suffix = {});
  // Opens an existing segment file. The indexes are not loaded.
  Task<Result<SegmentPtr>> open(Offset base);
  // Writes all three index files (page cache).
  Task<Status> write_indexes(SegmentPtr segment);
  // Writes `.index` and `.timeindex` (page cache).
  Task<Status> write_offset_and_time_index(SegmentPtr segment);
  // Syncs the index files, and the producer snapshot at the segment's base offset.
  Task<Status> sync_indexes(SegmentPtr segment);
  // Loads `.index` and `.timeindex` of the active segment. kCorrupt, kNotFound: they must be rebuilt from the segment.
  Task<Status> load_indexes(SegmentPtr segment);
  // The open index file with this suffix; `slot`: the segment's own pointer to it. kNotFound.
  Task<Result<std::shared_ptr<File>>> index_file(SegmentPtr segment, std::shared_ptr<File>& slot,
                                                 std::string_view suffix);
  // Removes all files of the segment. The `.log` file goes last: a crash in between leaves no index without a segment.
  Task<Status> remove(Offset base);
  // Puts the cleaned files of the segment at `base` in the place of the files of the `replaced` segments, durably. May
  // be repeated after a crash.
  Task<Status> swap_in_cleaned(Offset base, std::vector<Offset> replaced);

 private:
  std::string path(Offset base, std::string_view suffix) const;
  Task<Status> write(Offset base, std::string_view suffix, std::string content);

  Env& env_;
  FileSystem& files_;
  std::string directory_;
};

}  // namespace farshore
