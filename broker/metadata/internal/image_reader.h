// Reads the whole ClusterImage from the MetaStore, at one revision.
#pragma once

#include <memory>

#include "base/meta_store.h"
#include "base/time.h"
#include "broker/metadata/cluster_image.h"

namespace farshore::broker {

// `controller`: every broker writes metadata itself, so clients are told that the broker that answers is the
// controller. `revision_min`: the newest revision that was seen before. Errors: kConflict (the store is at a lower
// revision: it was restored from an older copy), kCorrupt, kUnsupported (see codec.h), kUnavailable (the metadata
// changes faster than it can be read), and errors of MetaStore::range.
Task<Result<std::shared_ptr<ClusterImage>>> read_image(MetaStore& store, BrokerId controller, Revision revision_min,
                                                       Deadline deadline);

}  // namespace farshore::broker
