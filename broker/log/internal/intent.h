// Intent: a change of several files, noted durably in partition.intent before its first step. Opening finds the note
// after a crash and carries the change out again; every step may be repeated.
// Executor: the Env's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/ids.h"
#include "base/result.h"

namespace farshore {

struct Intent {
  enum class Kind { kReset, kSwap };
  Kind kind = Kind::kReset;
  Offset start;                  // kReset: the new log start. kSwap: base offset of the cleaned segment
  std::vector<Offset> replaced;  // kSwap: base offsets of the segments that it replaces

  std::string encode() const;
  static Result<Intent> decode(std::string_view text);  // kCorrupt
};

class IntentFile {
 public:
  IntentFile(FileSystem& files, std::string directory);

  // nullopt: no change is pending. kCorrupt: the note cannot be read.
  Task<Result<std::optional<Intent>>> load();
  // Notes the change, durably. kNoSpace: nothing is noted.
  Task<Status> note(Intent intent);
  // Removes the note, durably. Also makes the steps of the change durable that are names in this directory.
  Task<Status> done();

 private:
  FileSystem& files_;
  std::string directory_, path_;
};

}  // namespace farshore
