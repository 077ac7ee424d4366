// A mirror topic as the control API shows it. Executor: the Env's.
#pragma once

#include "linker/link/model/lag_figures.h"
#include "linker/link/model/link_parts.h"

namespace farshore::linker {

// Of an ended topic: nothing is behind. Of one without pumps (PENDING, FAILED): it is not known.
LagFigures lag_of(const MirrorTopic& topic, const LinkParts& link);
api::MirrorTopic describe(const MirrorTopic& topic, const LinkParts& link);

}  // namespace farshore::linker
