#include "broker/descriptor_budget.h"

#include <string>

namespace farshore::broker {

Result<DescriptorBudget> DescriptorBudget::divide(size_t allowed) {
  if (allowed < kMin)
    return Error(ErrorCode::kInvalidArgument, "max.open.files is " + std::to_string(allowed) +
                                                  "; a broker needs at least " + std::to_string(kMin) +
                                                  ": raise the limit of open files (ulimit -n, LimitNOFILE)");
  DescriptorBudget budget;
  budget.connections = (allowed - kOthers) / 2;
  budget.log_files = allowed - kOthers - budget.connections;
  return budget;
}

}  // namespace farshore::broker
