#include "linker/relay/topic_presence.h"

namespace farshore::linker {
namespace {

constexpr int kMissingLooksMax = 3;

std::string gone_text(const std::string& topic) {
  return "topic " + topic +
         " is gone from the target: what was relayed into it is lost there; 'farshore mirror resume' makes it again "
         "and relays it from the source's start";
}

std::string made_anew_text(const RelayTopic& topic, TargetTopicId now) {
  return "topic " + topic.topic + " was deleted and made anew at the target: its id is " + now.to_string() +
         ", this link relayed into " + topic.id.to_string() +
         "; delete it at the target if it holds records, then 'farshore mirror resume' relays it from the source's "
         "start";
}

}  // namespace

Task<Result<std::map<std::string, std::string>>> TopicPresence::gone(Deadline deadline) {
  std::vector<std::string> names;
  for (const RelayTopic& topic : topics_.topics())
    if (!topic.promotion) names.push_back(topic.topic);
  std::map<std::string, std::string> out;
  if (names.empty()) co_return out;
  CO_TRY(auto view, co_await cluster_.client().refresh(names, deadline));
  for (const std::string& name : names) {
    const RelayTopic* topic = topics_.find(name);
    if (!topic || topic->promotion) continue;
    auto found = view->topics.find(name);
    const auto code = static_cast<kafka::ErrorCode>(found == view->topics.end() ? 0 : found->second.error_code);
    if (found == view->topics.end() || code == kafka::ErrorCode::kUnknownTopicOrPartition) {
      if (++missing_looks_[name] >= kMissingLooksMax) out[name] = gone_text(name);
      continue;
    }
    missing_looks_.erase(name);
    if (code != kafka::ErrorCode::kNone) continue;
    const TargetTopicId now(found->second.id);
    if (!now.is_zero() && now != topic->id) out[name] = made_anew_text(*topic, now);
  }
  co_return out;
}

Task<Result<bool>> TopicPresence::is_gone(RelayTopic topic, Deadline deadline) {
  kafka::TopicAdmin admin(cluster_);
  for (int look = 1; look <= kMissingLooksMax; ++look) {
    CO_TRY(auto there, co_await admin.find(topic.topic, deadline));
    if (there && (there->id.is_zero() || TargetTopicId(there->id) == topic.id)) co_return false;
    if (there) co_return co_await admin.never_written(topic.topic, there->partitions, deadline);
    if (look < kMissingLooksMax) CO_CHECK(co_await cluster_.client().pause(look, deadline));
  }
  co_return true;
}

Task<Status> TopicPresence::check(RelayTopic topic, Deadline deadline) {
  kafka::TopicAdmin admin(cluster_);
  CO_TRY(auto there, co_await admin.find(topic.topic, deadline));
  if (!there) co_return Error(ErrorCode::kInvalidArgument, gone_text(topic.topic));
  if (!there->id.is_zero() && TargetTopicId(there->id) != topic.id)
    co_return Error(ErrorCode::kInvalidArgument, made_anew_text(topic, TargetTopicId(there->id)));
  co_return ok();
}

}  // namespace farshore::linker
