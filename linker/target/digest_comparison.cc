#include "linker/target/digest_comparison.h"

#include <algorithm>
#include <limits>

namespace farshore::linker {
namespace {

constexpr int32_t kNarrowingRanges = 64;  // into which a range that differs is cut
constexpr const char* kCompactionUnknown =
    "the broker of one end is older and cannot say whether it ever compacted this topic: if it did, that is the "
    "difference";

// Of two answers about a partition, one of them an error: which end failed, and how.
std::string comparison_error(const MirrorPartitionAnswer& source, const MirrorPartitionAnswer& target) {
  const MirrorPartitionAnswer& bad = source.error_code != 0 ? source : target;
  return (&bad == &source ? "source: " : "target: ") + mirror_error(bad.error_code, bad.error_message).to_string();
}

std::string range_text(int64_t low, int64_t high) {
  return "[" + std::to_string(low) + ", " + std::to_string(high) + ")";
}

// The shown digest of a partition is made of those of its pieces, in any order.
void fold(std::string& shown, const decltype(MirrorPartitionAnswer::digests)& digests) {
  static const char kDigits[] = "0123456789abcdef";
  auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (const auto& range : digests) {
    shown.resize(std::max(shown.size(), range.digest.size() * 2), '0');
    for (size_t i = 0; i < range.digest.size(); ++i) {
      const auto byte = static_cast<unsigned>(range.digest[i]);
      shown[2 * i] = kDigits[static_cast<unsigned>(value(shown[2 * i])) ^ (byte >> 4)];
      shown[2 * i + 1] = kDigits[static_cast<unsigned>(value(shown[2 * i + 1])) ^ (byte & 15)];
    }
  }
}

}  // namespace

Task<Status> DigestComparison::run(LinkTarget::Verified verified, Deadline deadline) {
  for (int32_t p = 0; p < partitions_; ++p) {
    api::VerifyProgress out;
    out.set_topic(topic_.topic);
    out.set_partition(p);
    out.set_from_offset(-1);
    out.set_to_offset(-1);
    out.set_first_difference(-1);
    CO_CHECK(co_await look(out, deadline));
    if (!out.note().empty())
      out.set_not_compared(true);
    else if (out.error().empty())
      CO_CHECK(co_await compare(out, deadline));
    out.set_done(true);
    verified(std::move(out));
  }
  co_return ok();
}

Task<Status> DigestComparison::look(api::VerifyProgress& out, Deadline deadline) {
  auto from = co_await source_.describe_partition(topic_.source_topic, out.partition(), question(deadline));
  if (!from) co_return std::move(from).error().in("source: topic " + topic_.source_topic);
  auto to = co_await target_.describe_partition(topic_.topic, out.partition(), question(deadline));
  if (!to) co_return std::move(to).error().in("target: topic " + topic_.topic);
  const auto& source = from->partitions.front();
  const auto& target = to->partitions.front();
  if (source.error_code != 0 || target.error_code != 0) {
    out.set_error(comparison_error(source, target));
    co_return ok();
  }
  note_compaction(source, target);
  int64_t end = std::min(source.high_watermark, target.high_watermark);
  if (target.promotion) end = std::min(end, target.promotion->offset);
  const int64_t start = std::max(source.log_start_offset, target.log_start_offset);
  out.set_from_offset(std::max(out.from_offset(), start));
  out.set_to_offset(out.to_offset() < 0 ? end : std::min(out.to_offset(), end));
  if (out.from_offset() >= out.to_offset() && source.high_watermark > source.log_start_offset) {
    const std::string have = "the source has " + range_text(source.log_start_offset, source.high_watermark) +
                             ", the mirror " + range_text(target.log_start_offset, target.high_watermark);
    if (target.promotion)  // nothing is wrong, and nothing is shown to be right
      out.set_note("no record is at both ends: the mirror ended at offset " + std::to_string(target.promotion->offset) +
                   ", " + have);
    else
      out.set_error("nothing of it is mirrored: " + have);
  }
  co_return ok();
}

void DigestComparison::note_compaction(const MirrorPartitionAnswer& source, const MirrorPartitionAnswer& target) {
  compaction_known_ = source.compacted_to >= 0 && target.compacted_to >= 0;
  source_compacted_ = source.compacted_to > 0 || policy_compacts_;
  compacted_to_ = std::max({source.compacted_to, target.compacted_to, int64_t{0}});
  if (!compaction_known_ && policy_compacts_) compacted_to_ = std::numeric_limits<int64_t>::max();
}

std::string DigestComparison::compaction_note(int64_t low, int64_t high) const {
  return (source_compacted_
              ? "the source compacts this topic, or did so once, and the mirror keeps what the source had: "
              : "the target has compacted this topic since its mirror ended, and the source keeps what it had: ") +
         range_text(low, high) + " is not comparable";
}

Task<Result<DigestComparison::Both>> DigestComparison::digests(int32_t partition, int64_t low, int64_t high,
                                                               int32_t ranges, Deadline deadline) {
  auto at_source = co_await source_.digest(topic_.source_topic, partition, low, high, ranges, question(deadline));
  if (!at_source) co_return std::move(at_source).error().in("source: digest of partition " + std::to_string(partition));
  auto at_target = co_await target_.digest(topic_.topic, partition, low, high, ranges, question(deadline));
  if (!at_target) co_return std::move(at_target).error().in("target: digest of partition " + std::to_string(partition));
  co_return Both{std::move(at_source->partitions.front()), std::move(at_target->partitions.front())};
}

Task<Status> DigestComparison::compare(api::VerifyProgress& out, Deadline deadline) {
  const int64_t begun_at = out.from_offset();
  int64_t comparable_from = begun_at;
  bool compacted = false;  // a difference was seen that compaction explains
  int64_t piece = kFirstPiece;
  std::string at_source, at_target;
  for (int64_t at = begun_at; at < out.to_offset();) {
    int64_t high = std::min(at + piece, out.to_offset());
    if (at < compacted_to_) high = std::min(high, compacted_to_);  // no piece lies on both sides
    const MonoTime asked = env_.now();
    CO_TRY(Both both, co_await digests(out.partition(), at, high, 1, deadline));
    const Duration took = env_.now() - asked;
    if (both.source.error_code != 0 || both.target.error_code != 0) {
      out.set_error(comparison_error(both.source, both.target));
      co_return ok();
    }
    if (!both.equal()) {
      CO_TRY(const bool explained, co_await explained_by_deletion(out, at, high, deadline));
      if (!out.error().empty()) co_return ok();
      if (explained) {
        at = std::max(at, out.from_offset());
        comparable_from = std::max(comparable_from, at);
        continue;
      }
      if (at >= compacted_to_) {
        if (!compaction_known_) out.set_note(kCompactionUnknown);
        co_return co_await find_first_difference(out, at, high, deadline);
      }
      if (high > compacted_to_) continue;  // it was compacted up to there meanwhile
      CO_TRY(comparable_from, co_await equal_from(out.partition(), at, high, deadline));
      compacted = true;
    } else {
      fold(at_source, both.source.digests);
      fold(at_target, both.target.digests);
    }
    // A batch that begins before `high` is part of this piece.
    at = both.source.digests.empty() ? high : std::max(high, both.source.digests.back().end_offset);
    if (took < kPieceTime) piece = std::min(piece * 2, kLargestPiece);
    if (took > 4 * kPieceTime) piece = std::max<int64_t>(piece / 2, 1);
    co_await env_.sleep(std::min(took, 4 * kPieceTime));
  }
  if (compacted && comparable_from > begun_at) out.set_note(compaction_note(begun_at, comparable_from));
  out.set_from_offset(comparable_from);
  out.set_equal(comparable_from < out.to_offset() || begun_at >= out.to_offset());
  out.set_not_compared(!out.equal());
  out.set_source_digest(at_source);
  out.set_target_digest(at_target);
  co_return ok();
}

Task<Result<bool>> DigestComparison::explained_by_deletion(api::VerifyProgress& out, int64_t low, int64_t high,
                                                           Deadline deadline) {
  CO_CHECK(co_await look(out, deadline));
  co_return out.from_offset() > low || out.to_offset() < high;
}

Task<Status> DigestComparison::find_first_difference(api::VerifyProgress& out, int64_t low, int64_t high,
                                                     Deadline deadline) {
  out.set_first_difference(low);
  for (bool nearer = true; nearer && low < high;) {
    CO_TRY(Both both, co_await digests(out.partition(), low, high, kNarrowingRanges, deadline));
    if (both.source.error_code != 0 || both.target.error_code != 0) co_return ok();
    nearer = narrow(both, low, high, out);
  }
  co_return ok();
}

Task<Result<int64_t>> DigestComparison::equal_from(int32_t partition, int64_t low, int64_t high, Deadline deadline) {
  int64_t equal_from = high;
  // Each round looks into the last part that differs.
  for (int round = 0; round < 4 && low < equal_from; ++round) {
    CO_TRY(Both both, co_await digests(partition, low, equal_from, kNarrowingRanges, deadline));
    const auto& s = both.source.digests;
    const auto& t = both.target.digests;
    size_t same = 0;
    while (same < s.size() && same < t.size() && s[s.size() - 1 - same] == t[t.size() - 1 - same]) ++same;
    if (same > 0) equal_from = s[s.size() - same].offset;
    if (same == 0 || same == s.size() || s[s.size() - same - 1].batches <= 1) break;
    low = s[s.size() - same - 1].offset;
  }
  co_return equal_from;
}

bool DigestComparison::narrow(const Both& both, int64_t& low, int64_t& high, api::VerifyProgress& out) {
  const auto& s = both.source.digests;
  const auto& t = both.target.digests;
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
