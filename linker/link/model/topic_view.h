// A mirror topic as the control API shows it. Executor: the Env's.
#pragma once

#include "linker/link/model/lag_figures.h"
#include "linker/link/model/link_parts.h"

namespace farshore::linker {

// The name of the topic's state; PAUSED if its link is paused, so that nothing is read; LEFT_OUT.
std::string_view shown_state(const MirrorTopic& topic, const LinkParts& link);
// Of an ended topic: nothing is behind. Of one without pumps (PENDING, FAILED): it is not known.
LagFigures lag_of(const MirrorTopic& topic, const LinkParts& link);
api::MirrorTopic describe(const MirrorTopic& topic, const LinkParts& link);

}  // namespace farshore::linker
