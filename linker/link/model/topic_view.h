// What a mirror topic shows of itself in the control API. Executor: the Env's.
#pragma once

#include "linker/link/model/link_parts.h"

namespace farshore::linker {

api::MirrorTopic describe(const MirrorTopic& topic, const LinkParts& link);

}  // namespace farshore::linker
