// RevisionNote: the file meta.revision, which has the revision of the metadata store (store_guard.h). One line of fixed
// length, written in place: `1 <revision, 20 digits> <CRC-32C of all before, 10 digits>`.
// Executor: the broker's.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/env.h"
#include "base/meta_store.h"

namespace farshore::broker {

class RevisionNote {
 public:
  RevisionNote(Env& env, std::string path) : env_(env), path_(std::move(path)) {}

  // nullopt: there is no file, or a power loss left no valid line in it.
  Task<Result<std::optional<Revision>>> load();
  // Notes the revision (page cache) if it is higher than the one before. A failure is logged: an older note only
  // guards less.
  Task<void> save(Revision revision);

 private:
  Task<Status> write(Revision revision);

  Env& env_;
  const std::string path_;
  std::shared_ptr<File> file_;
  Revision noted_ = -1;
  bool failing_ = false;
};

}  // namespace farshore::broker
