// VerbTotal: what a verb on several topics came to, as one line. A figure that some partition does not know is not
// taken for 0: the line says of how many partitions it is not known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "proto/control/control.pb.h"

namespace farshore::cli {

// False: nobody knows where the partition ends (it is offline), or who ended it never heard of the source.
bool loss_is_known(const control::v1::PromotionPartition& p);

class VerbTotal {
 public:
  void add(const control::v1::VerbProgress& progress);
  // Empty for one topic: its own report says it all.
  std::string to_string(bool dry_run) const;

 private:
  std::string losses() const;
  std::string blind() const;

  int64_t topics_ = 0, failed_ = 0, partitions_ = 0;
  int64_t lost_ = 0, stranded_ = 0;
  int64_t loss_unknown_ = 0, blind_unknown_ = 0;  // partitions
  std::optional<int64_t> blind_ms_;               // the longest of those that are known
};

}  // namespace farshore::cli
