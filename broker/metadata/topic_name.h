// The rules for names of topics.
#pragma once

#include <string_view>

#include "broker/metadata/cluster_image.h"
#include "broker/metadata/refusal.h"

namespace farshore::broker {

// INVALID_TOPIC_EXCEPTION: the name is empty, too long, or has other characters than Kafka allows. The rule of every
// request that names a topic which may not exist.
Refusal check_topic_syntax(std::string_view name);
// Of a topic that is about to be made. INVALID_TOPIC_EXCEPTION: the name is empty, too long, has other characters than
// Kafka allows, or differs from the name of an existing topic only in '.' and '_', which metrics cannot tell apart.
Refusal check_topic_name(const ClusterImage& image, std::string_view name);

}  // namespace farshore::broker
