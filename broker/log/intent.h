// partition.intent: what a change of several files is about to do, written durably before the first step. Found at
// opening, it is done again; every step may be repeated.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace farshore {

struct Intent {
  enum class Kind { kReset, kSwap };
  Kind kind = Kind::kReset;
  Offset start;                  // kReset: the new log start. kSwap: base of the cleaned segment
  std::vector<Offset> replaced;  // kSwap: bases of the segments that it stands for

  std::string encode() const;
  static Result<Intent> decode(std::string_view text);  // kCorrupt
};

}  // namespace farshore
