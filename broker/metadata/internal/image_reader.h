// Reads the ClusterImage from the MetaStore: whole, or what changed since an image was read.
// Executor: the broker's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/meta_store.h"
#include "base/time.h"
#include "broker/metadata/cluster_image.h"

namespace farshore::broker {

// The whole image, at one revision. `controller`: every broker writes metadata itself, so clients are told that the
// broker that answers is the controller. `revision_min`: the newest revision that was seen before. Errors: kConflict
// (the store is at a lower revision: it was restored from an older copy), kCorrupt, kUnsupported (see codec.h),
// kUnavailable (the metadata changes faster than it can be read), and errors of MetaStore::range. Records that no topic
// counts are left out: a change that was interrupted wrote them. `unowned` gets the prefixes of their keys.
Task<Result<std::shared_ptr<ClusterImage>>> read_image(MetaStore& store, BrokerId controller, Revision revision_min,
                                                       Deadline deadline, std::vector<std::string>* unowned = nullptr);

struct ImageUpdate {
  std::shared_ptr<ClusterImage> image;  // null: nothing of it has changed
  Revision revision = 0;                // of the store, up to which that is true
};

// `image`, which was true at the revision `seen`, as it is now. It reads the topics that changed, and nothing of the
// others. kNotFound: the store cannot tell what changed, or it is too much: read the whole image. Other errors as
// read_image().
Task<Result<ImageUpdate>> update_image(MetaStore& store, std::shared_ptr<const ClusterImage> image, Revision seen,
                                       Deadline deadline);

}  // namespace farshore::broker
