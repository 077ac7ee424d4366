// PromotionRecord as the control API shows it.
#pragma once

#include "proto/control/control.pb.h"
#include "proto/link/promotion_record.h"

namespace farshore::linker {

control::v1::PromotionRecord to_api(const PromotionRecord& record);

}  // namespace farshore::linker
