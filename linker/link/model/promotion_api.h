// PromotionRecord as the control API and its messages show it.
#pragma once

#include <string>

#include "proto/control/control.pb.h"
#include "proto/link/promotion_record.h"

namespace farshore::linker {

control::v1::PromotionRecord to_api(const PromotionRecord& record);
// Of a topic that has just ended: "the topic is writable", or which partitions of it are not yet.
std::string writable_partitions(const PromotionRecord& record);

}  // namespace farshore::linker
