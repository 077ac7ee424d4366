#include "linker/cli/verb_total.h"

#include <algorithm>

#include "linker/cli/output.h"

namespace farshore::cli {

bool loss_is_known(const control::v1::PromotionPartition& p) {
  return p.failover_offset() >= 0 && p.lost_at_least_ms() >= 0;
}

void VerbTotal::add(const control::v1::VerbProgress& progress) {
  if (progress.error().empty() && !progress.done()) return;
  ++topics_;
  if (!progress.error().empty()) ++failed_;
  for (const auto& p : progress.mirror().promotion().partitions()) {
    ++partitions_;
    if (!loss_is_known(p))
      ++loss_unknown_;
    else
      lost_ += std::max<int64_t>(0, p.lost_at_least_records());
    stranded_ += std::max<int64_t>(0, p.stranded_records());
    if (p.blind_window_ms() < 0)
      ++blind_unknown_;
    else
      blind_ms_ = std::max(blind_ms_.value_or(0), p.blind_window_ms());
  }
}

std::string VerbTotal::losses() const {
  if (partitions_ > 0 && loss_unknown_ == partitions_) return "it is not known how many records are lost";
  std::string text = "at least " + human_count(lost_) + " records lost";
  if (loss_unknown_ > 0) text += " (not known of " + human_count(loss_unknown_) + " partitions)";
  return text;
}

std::string VerbTotal::blind() const {
  if (!blind_ms_) return partitions_ == 0 ? "" : ", longest blind window unknown";
  std::string text = ", longest blind window " + human_duration_ms(*blind_ms_);
  if (blind_unknown_ > 0) text += " (not known of " + human_count(blind_unknown_) + " partitions)";
  return text;
}

std::string VerbTotal::to_string(bool dry_run) const {
  if (topics_ < 2) return std::string();
  return human_count(topics_) + " topics: " + human_count(topics_ - failed_) + (dry_run ? " would end, " : " ended, ") +
         human_count(failed_) + " failed; " + losses() + ", " + human_count(stranded_) + " stranded" + blind();
}

}  // namespace farshore::cli
