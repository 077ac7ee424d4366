#include "linker/link/verbs/verification.h"

#include <algorithm>

namespace farshore::linker {

Task<Status> Verification::run(Deadline deadline) {
  if (link_.target.kind() != "farshore")  // refused with the reason; no end is asked
    co_return co_await link_.target.verify(topic_.as_target_topic(), 0, link_.source.for_verification(), report_,
                                           deadline);
  if (!ends_.any()) co_await ends_.ask_both(link_, deadline);
  Status compared = ok();
  if (!ends_.any()) {
    compared = co_await compare(deadline);
    if (compared || !error_retriable(compared.error().code)) co_return compared;
    co_await ends_.ask_both(link_, deadline);  // has one of them gone meanwhile?
  }
  if (!ends_.any()) co_return compared;
  co_await report_not_compared(deadline);
  co_return ok();
}

Task<Status> Verification::compare(Deadline deadline) {
  CO_TRY(auto source, co_await identify(link_.source.admin(), deadline));
  link_.source.set_farshore(source.farshore);
  std::vector<std::string> names{topic_.source_topic()};
  CO_TRY(auto view, co_await link_.source.admin().client().refresh(std::move(names), deadline));
  auto there = view->topics.find(topic_.source_topic());
  const bool gone = there == view->topics.end() || there->second.error_code != 0;
  const auto at_source = static_cast<int32_t>(gone ? 0 : there->second.partitions.size());
  const auto mirrored = static_cast<int32_t>(mirrored_partitions());
  if (gone) {
    report_error(-1, "the source has no topic " + topic_.source_topic() + " any more: nothing can be compared");
    co_return ok();
  }
  if (mirrored == 0) report_error(-1, "nothing is mirrored: the topic is " + topic_.state_and_reason());
  const Report note = [this](api::VerifyProgress row) {
    if (row.done()) compared_.insert(row.partition());
    report_(std::move(row));
  };
  if (mirrored > 0)
    CO_CHECK(co_await link_.target.verify(topic_.as_target_topic(), std::min(mirrored, at_source),
                                          link_.source.for_verification(), note, deadline));
  for (int32_t p = mirrored; mirrored > 0 && p < at_source && !topic_.promotion(); ++p)
    report_error(p, "the source has this partition, and it is not mirrored yet");
  co_return ok();
}

// An ended topic has no pumps any more.
size_t Verification::mirrored_partitions() const {
  return topic_.promotion() ? topic_.promotion()->partitions.size() : topic_.pumps().size();
}

Task<void> Verification::report_not_compared(Deadline deadline) {
  const std::string why = ends_.to_string() + ": not compared";
  auto other = co_await ask_who_answers(std::min(deadline, link_.env.in(SilentEnds::kAnswerLimit)));
  if (!other) co_return report_error(-1, ends_.both() ? why : why + "; " + other.error().to_string());
  const std::string who = ends_.target() ? "; the mirror has [" : "; the source has [";
  for (const auto& p : other->partitions) {
    if (compared_.contains(p.partition)) continue;
    report_error(p.partition, p.error_code != 0 ? why + "; " + mirror_error(p.error_code, p.error_message).to_string()
                                                : why + who + std::to_string(p.log_start_offset) + ", " +
                                                      std::to_string(p.high_watermark) + ")");
  }
}

Task<Result<MirrorTopicAnswer>> Verification::ask_who_answers(Deadline deadline) {
  const auto partitions = static_cast<int32_t>(mirrored_partitions());
  if (ends_.both()) co_return Error(ErrorCode::kUnavailable);
  if (partitions == 0) co_return Error(ErrorCode::kNotFound, "nothing is mirrored yet");
  if (ends_.target()) {
    MirrorClient target(link_.target.cluster().client());
    co_return co_await target.describe(topic_.name(), partitions, deadline);
  }
  if (!link_.source.farshore()) co_return Error(ErrorCode::kUnsupported, "the source is Apache Kafka");
  const LinkSource source = link_.source.for_verification();
  co_return co_await source.mirrors.describe(topic_.source_topic(), partitions, deadline);
}

void Verification::report_error(int32_t partition, std::string error) const {
  api::VerifyProgress out;
  out.set_topic(topic_.name());
  out.set_partition(partition);
  out.set_from_offset(-1);
  out.set_to_offset(-1);
  out.set_first_difference(-1);
  out.set_error(std::move(error));
  out.set_done(true);
  report_(std::move(out));
}

}  // namespace farshore::linker
