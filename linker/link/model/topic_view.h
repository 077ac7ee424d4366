// A mirror topic as the control API shows it. Executor: the Env's.
#pragma once

#include "linker/link/model/link_parts.h"

namespace farshore::linker {

api::MirrorTopic describe(const MirrorTopic& topic, const LinkParts& link);

}  // namespace farshore::linker
