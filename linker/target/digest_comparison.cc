#include "linker/target/digest_comparison.h"

#include <algorithm>

namespace farshore::linker {
namespace {

constexpr int32_t kRanges = 64;  // into which a range that differs is cut

std::string hex(const kafka::Bytes& bytes) {
  static const char digits[] = "0123456789abcdef";
  std::string text;
  for (std::byte b : bytes) {
    text += digits[static_cast<unsigned>(b) >> 4];
    text += digits[static_cast<unsigned>(b) & 15];
  }
  return text;
}

// Of two answers about a partition, one of them an error: which end failed, and how.
std::string error_of(const MirrorPartitionAnswer& source, const MirrorPartitionAnswer& target) {
  const MirrorPartitionAnswer& bad = source.error_code != 0 ? source : target;
  return (&bad == &source ? "source: " : "target: ") + mirror_error(bad.error_code, bad.error_message).to_string();
}

}  // namespace

Task<Status> DigestComparison::run(LinkTarget::Verified verified, Deadline deadline) {
  auto from = co_await source_.describe(topic_.source_topic, partitions_, deadline);
  if (!from) co_return std::move(from).error().in("source: topic " + topic_.source_topic);
  auto to = co_await target_.describe(topic_.topic, partitions_, deadline);
  if (!to) co_return std::move(to).error().in("target: topic " + topic_.topic);
  for (int32_t p = 0; p < partitions_; ++p) {
    const auto& source = from->partitions[static_cast<size_t>(p)];
    const auto& target = to->partitions[static_cast<size_t>(p)];
    api::VerifyProgress range;
    range.set_topic(topic_.topic);
    range.set_partition(p);
    if (source.error_code != 0 || target.error_code != 0) {
      range.set_error(error_of(source, target));
      range.set_done(true);
      verified(std::move(range));
      continue;
    }
    range.set_from_offset(std::max(source.log_start_offset, target.log_start_offset));
    range.set_to_offset(std::min(source.high_watermark, target.high_watermark));
    if (target.promotion) range.set_to_offset(std::min(range.to_offset(), target.promotion->offset));
    range.set_first_difference(-1);
    CO_TRY(auto out, co_await compare(std::move(range), deadline));
    verified(std::move(out));
  }
  co_return ok();
}

Task<Result<api::VerifyProgress>> DigestComparison::compare(api::VerifyProgress out, Deadline deadline) {
  const int32_t p = out.partition();
  int64_t low = out.from_offset(), high = out.to_offset();
  bool equal = true;
  for (int round = 0; low < high; ++round) {
    const int32_t ranges = round == 0 ? 1 : kRanges;
    auto at_source = co_await source_.digest(topic_.source_topic, p, low, high, ranges, deadline);
    if (!at_source) co_return std::move(at_source).error().in("source: digest of partition " + std::to_string(p));
    auto at_target = co_await target_.digest(topic_.topic, p, low, high, ranges, deadline);
    if (!at_target) co_return std::move(at_target).error().in("target: digest of partition " + std::to_string(p));
    const auto& source = at_source->partitions.front();
    const auto& target = at_target->partitions.front();
    if (source.error_code != 0 || target.error_code != 0) {
      out.set_error(error_of(source, target));
      break;
    }
    if (round == 0) {
      if (!source.digests.empty()) out.set_source_digest(hex(source.digests.front().digest));
      if (!target.digests.empty()) out.set_target_digest(hex(target.digests.front().digest));
      equal = source.digests == target.digests;
      if (equal) break;
    } else if (!narrow(source, target, low, high, out)) {
      break;
    }
  }
  out.set_done(true);
  out.set_equal(equal && out.error().empty());
  co_return out;
}

bool DigestComparison::narrow(const MirrorPartitionAnswer& source, const MirrorPartitionAnswer& target, int64_t& low,
                              int64_t& high, api::VerifyProgress& out) {
  const auto& s = source.digests;
  const auto& t = target.digests;
  size_t i = 0;
  while (i < s.size() && i < t.size() && s[i] == t[i]) ++i;
  if (i == s.size() || i == t.size()) {
    out.set_first_difference(i == 0 ? low : s[std::min(i, s.size()) - 1].end_offset);
    return false;
  }
  const int64_t next_low = std::min(s[i].offset, t[i].offset);
  const int64_t next_high = std::max(s[i].end_offset, t[i].end_offset);
  out.set_first_difference(next_low);
  if (s[i].batches <= 1 || (next_low == low && next_high == high)) return false;
  low = next_low;
  high = next_high;
  return true;
}

}  // namespace farshore::linker
