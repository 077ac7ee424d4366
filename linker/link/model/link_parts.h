// LinkParts: the parts of one link that its tasks, verbs and views work on. Link owns all of them, and ends tasks and
// verbs before it goes.
#pragma once

#include "linker/link/model/end_reports.h"
#include "linker/link/model/link_ownership.h"
#include "linker/link/model/link_status.h"
#include "linker/link/model/loss_reports.h"
#include "linker/link/model/mirror_topics.h"
#include "linker/link/model/source_cluster.h"
#include "linker/link/model/source_fences.h"
#include "linker/link/model/undecided_ends.h"

namespace farshore::linker {

struct LinkParts {
  Env& env;
  LinkDefinition& definition;
  LinkStatus& status;
  LinkOwnership& ownership;
  EndReports& reports;
  LossReports& losses;
  SourceCluster& source;
  LinkTarget& target;
  replicator::Replicator& replicator;
  MirrorTopics& topics;
  SourceFences& fences;
  UndecidedEnds& ends;
  Event& stopping;  // set when the link ends
};

}  // namespace farshore::linker
