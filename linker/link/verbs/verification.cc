#include "linker/link/verbs/verification.h"

#include <algorithm>

namespace farshore::linker {
namespace {

constexpr Duration kSourceQuestionLimit = seconds(10);

}  // namespace

Task<Status> Verification::run(Deadline deadline) {
  const Deadline soon = std::min(deadline, link_.env.in(kSourceQuestionLimit));
  CO_TRY(auto source, co_await identify(link_.source.admin(), soon));
  link_.source.set_farshore(source.farshore);
  std::vector<std::string> names{topic_.source_topic()};
  CO_TRY(auto view, co_await link_.source.admin().client().refresh(std::move(names), soon));
  auto there = view->topics.find(topic_.source_topic());
  const bool gone = there == view->topics.end() || there->second.error_code != 0;
  const auto at_source = static_cast<int32_t>(gone ? 0 : there->second.partitions.size());
  const auto& ended = topic_.promotion();  // an ended topic has no pumps any more
  const auto mirrored = static_cast<int32_t>(ended ? ended->partitions.size() : topic_.pumps().size());
  if (gone) {
    report_error(-1, "the source has no topic " + topic_.source_topic() + " any more: nothing can be compared");
    co_return ok();
  }
  const std::string reason = topic_.reason().empty() ? std::string() : " (" + topic_.reason() + ")";
  if (mirrored == 0)
    report_error(-1, "nothing is mirrored: the topic is " + std::string(name(topic_.state())) + reason);
  if (mirrored > 0)
    CO_CHECK(co_await link_.target.verify(topic_.as_target_topic(), std::min(mirrored, at_source),
                                          link_.source.for_verification(), report_, deadline));
  for (int32_t p = mirrored; mirrored > 0 && p < at_source && !ended; ++p)
    report_error(p, "the source has this partition, and it is not mirrored yet");
  co_return ok();
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
