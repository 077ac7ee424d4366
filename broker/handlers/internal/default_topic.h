// The topic that is created when a client names only its name.
#pragma once

#include <string>

#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"

namespace farshore::broker {

// num.partitions and no configs; for the topic of the group coordinator, the coordinator's settings.
NewTopic default_topic(const Services& services, std::string name);

}  // namespace farshore::broker
