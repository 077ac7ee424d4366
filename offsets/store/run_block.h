// RunBlock: many runs of one key in one value of the KvStore. Runs of a relay follow each other closely, so a run is
// written as its distance from the one before: some five bytes instead of two rows of eighty. FORMAT.md has the bytes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "offsets/translation/types.h"

namespace farshore::offsets {

// `runs`: of one key, in order, at least one.
std::string encode_run_block(std::span<const TranslationRun> runs);
// kCorrupt: not what encode_run_block() wrote.
Result<std::vector<TranslationRun>> decode_run_block(std::string_view value);

// The runs of a block that decode_run_block() has accepted, one after the other, without a copy of them.
class RunBlockReader {
 public:
  explicit RunBlockReader(std::string_view value);
  size_t left() const { return left_; }
  const TranslationRun& next();  // while left() > 0

 private:
  int64_t number();
  const char* at_;
  size_t left_ = 0;
  TranslationRun run_;
};

}  // namespace farshore::offsets
