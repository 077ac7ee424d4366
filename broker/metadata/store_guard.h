// The guard of the metadata store: a broker must not take a store that lost its content for a new one. It would start
// as an empty cluster, and set the logs of all topics aside.
//
// The file meta.revision, beside the store, has the store's revision after each transaction. It is not synced: after a
// power loss it may be behind, and never ahead of the store, whose writes are synced first.
// Executor: the broker's.
#pragma once

#include <memory>
#include <string>

#include "base/env.h"
#include "base/meta_store.h"

namespace farshore::broker {

// The same store, which notes its revision from now on. kCorrupt: the store is older than the note in
// `data_directory`, or it is empty and the directory holds logs; nothing was changed. Other errors: those of the files;
// then it is not known whether there are logs.
Task<Result<std::unique_ptr<MetaStore>>> guard_meta_store(Env& env, std::unique_ptr<MetaStore> store,
                                                          std::string data_directory, Deadline deadline);

}  // namespace farshore::broker
