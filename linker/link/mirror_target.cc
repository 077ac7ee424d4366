#include "linker/link/mirror_target.h"

#include <algorithm>

#include "proto/link/keys.h"

namespace farshore::linker {
namespace {

constexpr int32_t kVerifyRanges = 64;

std::string hex(const kafka::Bytes& bytes) {
  static const char digits[] = "0123456789abcdef";
  std::string text;
  for (std::byte b : bytes) {
    text += digits[static_cast<unsigned>(b) >> 4];
    text += digits[static_cast<unsigned>(b) & 15];
  }
  return text;
}

// Of two answers about a partition, one of them an error: whose, and which.
std::string why_not(const MirrorPartitionAnswer& source, const MirrorPartitionAnswer& target) {
  const MirrorPartitionAnswer& bad = source.error_code != 0 ? source : target;
  return (&bad == &source ? "source: " : "target: ") + mirror_error(bad.error_code, bad.error_message).to_string();
}

TargetTopic topic_of(const MirrorTopicAnswer& answer) {
  TargetTopic topic;
  topic.topic = answer.name.value_or("");
  topic.source_topic = answer.source_topic.value_or("");
  topic.id = TargetTopicId(answer.topic_id);
  topic.source_id = SourceTopicId(answer.source_topic_id);
  if (ended(role_of(answer))) topic.promotion = get_promotion(answer);
  return topic;
}

}  // namespace

MirrorTarget::MirrorTarget(Env& env, Connector& connector, const StoredLink& link)
    : link_(link.id),
      epoch_(link.epoch),
      source_cluster_id_(link.spec.source_cluster_id),
      cluster_(env, connector, "target", link.spec.target, link.spec.target_cluster_id.value()),
      mirrors_(cluster_.client()),
      links_(cluster_.client()),
      data_(env, connector, data_cluster_options(link.spec.target, link.spec.target_cluster_id)),
      sink_(env, data_, link_, epoch_, replicator::MirrorSinkOptions()) {}

void MirrorTarget::close() {
  cluster_.close();
  data_.close();
}

Status MirrorTarget::fits(const ClusterIdentity& target) const {
  if (target.farshore) return ok();
  return Error(ErrorCode::kInvalidArgument,
               "the target is no Farshore cluster: mirror mode keeps offsets, which only it can; use --mode relay");
}

Task<Result<std::vector<TargetTopic>>> MirrorTarget::adopt(Deadline deadline) {
  auto found = co_await mirrors_.mirrors_of(link_, deadline);
  if (!found) co_return std::move(found).error().in("target");
  std::vector<TargetTopic> topics;
  for (const auto& answer : *found) topics.push_back(topic_of(answer));
  co_return topics;
}

Task<std::string> MirrorTarget::name_of(LinkId link, Deadline deadline) {
  auto all = co_await links_.list(std::string(kLinkKeyPrefix), deadline);
  if (!all) co_return std::string();
  for (const auto& entry : *all) {
    auto stored = decode_stored_link(entry.value);
    if (stored && stored->id == link) co_return stored->spec.name;
  }
  co_return std::string();
}

Task<Result<TargetTopic>> MirrorTarget::make(WantedTopic wanted, LinkSource source, Deadline deadline) {
  MirrorClient::NewMirror mirror;
  mirror.topic = wanted.topic;
  mirror.source_cluster_id = source_cluster_id_;
  mirror.source_topic = wanted.source.name;
  mirror.source_topic_id = SourceTopicId(wanted.source.id);
  mirror.partitions = wanted.source.partitions;
  mirror.configs = std::move(wanted.configs);
  mirror.dry_run = wanted.dry_run;
  if (source.farshore) {
    auto there = co_await source.mirrors.describe(wanted.source.name, 0, deadline);
    if (there)
      for (const auto& cluster : there->source_provenance) mirror.provenance.emplace_back(cluster);
  }
  auto made = co_await mirrors_.create(link_, epoch_, std::move(mirror), deadline);
  if (!made) {
    // What was promoted by this link before a restart of the gateway is shown as what it is.
    auto there = co_await mirrors_.describe(wanted.topic, wanted.source.partitions, deadline);
    if (there && LinkId(there->link_id) != link_ && role_of(*there) == MirrorRole::kMirror) {
      const std::string owner = co_await name_of(LinkId(there->link_id), deadline);
      if (!owner.empty())
        co_return Error(made.error().code, "topic " + wanted.topic + " at the target belongs to another link, " +
                                               owner + " (" + there->link_id.to_string() +
                                               "): two links cannot fill one topic; give this one a --prefix");
    }
    if (!there || LinkId(there->link_id) != link_ || !ended(role_of(*there))) co_return std::move(made).error();
    TargetTopic known = topic_of(*there);
    known.topic = wanted.topic;
    known.source_topic = wanted.source.name;
    co_return known;
  }
  TargetTopic topic;
  topic.topic = wanted.topic;
  topic.source_topic = wanted.source.name;
  topic.id = TargetTopicId(made->topic_id);
  topic.source_id = SourceTopicId(wanted.source.id);
  topic.partitions = wanted.source.partitions;
  co_return topic;
}

Task<Result<ConfigPlan>> MirrorTarget::configs(std::string, std::map<std::string, std::string> followed, bool,
                                               Deadline) {
  ConfigPlan plan;
  plan.wanted = std::move(followed);
  co_return plan;
}

Task<Result<PromotionRecord>> MirrorTarget::end(EndOfTopic request, replicator::Replicator&, Deadline deadline) {
  CO_TRY(auto answer,
         co_await mirrors_.end(link_, epoch_, request.topic.id, std::move(request.ends), request.dry_run, deadline));
  co_return get_promotion(answer);
}

Task<Result<std::optional<TargetOffset>>> MirrorTarget::to_target(replicator::PumpKey, SourceOffset offset) {
  co_return TargetOffset(offset.value());
}

Task<Result<api::TranslateOffsetReply>> MirrorTarget::translate(TargetTopic, api::TranslateOffsetRequest request,
                                                                SourceOffset mirrored_end) {
  if (request.offset() < 0 || request.offset() > mirrored_end.value())
    co_return Error(ErrorCode::kOutOfRange, "offset " + std::to_string(request.offset()) +
                                                " is not mirrored: the mirror ends at " +
                                                std::to_string(mirrored_end.value()));
  api::TranslateOffsetReply reply;
  reply.set_source_offset(request.offset());
  reply.set_target_offset(request.offset());
  reply.set_epoch(request.has_epoch() ? request.epoch() : -1);
  reply.set_exact(true);
  reply.set_note(request.offset() == mirrored_end.value() ? "the mirror's end: the next record"
                                                          : "a mirror keeps offsets");
  co_return reply;
}

Task<Status> MirrorTarget::verify(TargetTopic topic, int32_t partitions, LinkSource source, Verified verified,
                                  Deadline deadline) {
  if (!source.farshore)
    co_return Error(ErrorCode::kUnsupported,
                    "verify compares digests that both ends compute; the source is Apache Kafka, "
                    "which computes none");
  CO_TRY(auto from, co_await source.mirrors.describe(topic.source_topic, partitions, deadline));
  CO_TRY(auto to, co_await mirrors_.describe(topic.topic, partitions, deadline));
  for (int32_t p = 0; p < partitions; ++p) {
    const auto& s = from.partitions[static_cast<size_t>(p)];
    const auto& t = to.partitions[static_cast<size_t>(p)];
    api::VerifyProgress range;
    range.set_topic(topic.topic);
    range.set_partition(p);
    if (s.error_code != 0 || t.error_code != 0) {  // nothing is known of it: that is not "equal"
      range.set_error(why_not(s, t));
      range.set_done(true);
      verified(std::move(range));
      continue;
    }
    range.set_from_offset(std::max(s.log_start_offset, t.log_start_offset));
    range.set_to_offset(std::min(s.high_watermark, t.high_watermark));
    if (t.promotion) range.set_to_offset(std::min(range.to_offset(), t.promotion->offset));
    range.set_first_difference(-1);
    CO_TRY(auto out, co_await verify_partition(topic, std::move(range), source, deadline));
    verified(std::move(out));
  }
  co_return ok();
}

Task<Result<api::VerifyProgress>> MirrorTarget::verify_partition(TargetTopic topic, api::VerifyProgress out,
                                                                 LinkSource source, Deadline deadline) {
  // Bisection: the first range that differs is cut again, until it is one batch.
  const int32_t p = out.partition();
  int64_t low = out.from_offset(), high = out.to_offset();
  bool equal = true;
  for (int round = 0; low < high; ++round) {
    const int32_t ranges = round == 0 ? 1 : kVerifyRanges;
    CO_TRY(auto a, co_await source.mirrors.digest(topic.source_topic, p, low, high, ranges, deadline));
    CO_TRY(auto b, co_await mirrors_.digest(topic.topic, p, low, high, ranges, deadline));
    const auto& as = a.partitions.front();
    const auto& bs = b.partitions.front();
    if (as.error_code != 0 || bs.error_code != 0) {
      out.set_error(why_not(as, bs));
      break;
    }
    if (round == 0) {
      if (!as.digests.empty()) out.set_source_digest(hex(as.digests.front().digest));
      if (!bs.digests.empty()) out.set_target_digest(hex(bs.digests.front().digest));
      equal = as.digests == bs.digests;
      if (equal) break;
      continue;
    }
    size_t i = 0;
    while (i < as.digests.size() && i < bs.digests.size() && as.digests[i] == bs.digests[i]) ++i;
    if (i == as.digests.size() || i == bs.digests.size()) {
      out.set_first_difference(i == 0 ? low : as.digests[std::min(i, as.digests.size()) - 1].end_offset);
      break;
    }
    const int64_t next_low = std::min(as.digests[i].offset, bs.digests[i].offset);
    const int64_t next_high = std::max(as.digests[i].end_offset, bs.digests[i].end_offset);
    out.set_first_difference(next_low);
    if (as.digests[i].batches <= 1 || (next_low == low && next_high == high)) break;
    low = next_low;
    high = next_high;
  }
  out.set_done(true);
  out.set_equal(equal && out.error().empty());
  co_return out;
}

}  // namespace farshore::linker
