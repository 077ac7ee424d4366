#include "linker/link/verbs/unfencing.h"

#include "base/side_by_side.h"
#include "proto/link/mirror_control.h"

namespace farshore::linker {
namespace {

constexpr size_t kLiftedAtOnce = 64;

}  // namespace

Status Unfencing::enter(const std::string& topic, Result<size_t>& out) {
  FARSHORE_CHECK(link_.status.check_ours());
  FARSHORE_TRY(const MirrorTopic* mirror, link_.topics.get(topic));
  FARSHORE_TRY(auto place, desk_.enter(topic, "unfence"));
  if (!link_.source.farshore())
    return Error(ErrorCode::kInvalidArgument,
                 "the source is Apache Kafka, which has no fences, or it has not answered yet");
  work_.push_back({mirror->source_topic(), std::move(place), &out});
  return ok();
}

Task<std::vector<Result<size_t>>> Unfencing::run(std::vector<std::string> topics, CallerPtr caller, Deadline deadline) {
  std::vector<Result<size_t>> out(topics.size(), size_t{0});
  std::vector<std::pair<std::string, int32_t>> asked;
  for (size_t i = 0; i < topics.size(); ++i)
    if (auto entered = enter(topics[i], out[i]); !entered) out[i] = std::move(entered).error();
  for (const Work& work : work_) asked.emplace_back(work.source_topic, 0);
  auto found = co_await link_.source.mirrors().describe_all(std::move(asked), deadline);
  if (!found) {
    for (Work& work : work_) *work.out = found.error().in("source: topic " + work.source_topic);
    co_return out;
  }
  OneOfMany one = [&](size_t i) { return lift(work_[i], std::move((*found)[i]), caller, deadline); };
  co_await side_by_side(link_.env, work_.size(), kLiftedAtOnce, std::move(one));
  co_return out;
}

Task<void> Unfencing::lift(Work& work, MirrorTopicAnswer found, const CallerPtr& caller, Deadline deadline) {
  if (gone(caller)) {
    *work.out = given_up();
    co_return;
  }
  if (found.error_code != 0) {
    *work.out = mirror_error(found.error_code, found.error_message).in("source: topic " + work.source_topic);
    co_return;
  }
  const size_t fences = found.fences.size();
  auto lifted = co_await link_.fences.lift_all(work.source_topic, std::move(found), deadline);
  if (lifted)
    *work.out = fences;
  else
    *work.out = std::move(lifted).error();
  work.place.reset();
}

}  // namespace farshore::linker
