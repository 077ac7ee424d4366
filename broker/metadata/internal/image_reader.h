// Reads the whole ClusterImage from the MetaStore, at one revision.
#pragma once

#include <memory>
#include <vector>

#include "base/meta_store.h"
#include "base/time.h"
#include "broker/metadata/cluster_image.h"

namespace farshore::broker {

// `controller`: every broker writes metadata itself, so clients are told that the broker that answers is the
// controller. `revision_min`: the newest revision that was seen before. Errors: kConflict (the store is at a lower
// revision: it was restored from an older copy), kCorrupt, kUnsupported (see codec.h), kUnavailable (the metadata
// changes faster than it can be read), and errors of MetaStore::range. Records of partitions that their topic does not
// count are left out: a change that was interrupted wrote them. `unowned` gets the topic ids that have only such
// records.
Task<Result<std::shared_ptr<ClusterImage>>> read_image(MetaStore& store, BrokerId controller, Revision revision_min,
                                                       Deadline deadline, std::vector<TopicId>* unowned = nullptr);

}  // namespace farshore::broker
