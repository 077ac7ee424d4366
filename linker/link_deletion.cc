#include "linker/link_deletion.h"

namespace farshore::linker {

void LinkDeletion::plan() {
  const bool relay = link_->definition().spec.mode == LinkMode::kRelay;
  size_t topics = 0;
  std::string not_made;
  for (const auto& [name, topic] : link_->topics().all()) {
    ++topics;
    if (topic->state() == MirrorState::kStopped) continue;
    if (!topic->at_target()) {  // what may be there under this name is not of this link
      not_made += (not_made.empty() ? "" : ", ") + name;
      continue;
    }
    ++live_topics_;
    reply_.add_plan("leave " + name + (relay ? " as it is" : " as a read-only mirror") +
                    ", which nothing fills any more (" + std::string(topic->state_name()) + ")");
  }
  if (!not_made.empty())
    reply_.add_plan("touch nothing of topics that are not at the target as the link made them: " + not_made);
  if (!relay && live_topics_ > 0)
    reply_.add_plan(
        "leave these mirrors to a new link of the same source, which adopts them, or to 'farshore mirror failover "
        "TOPIC' "
        "(without --link), which makes them writable");
  if (relay && topics > 0)
    reply_.add_plan("forget the offset translation of " + std::to_string(topics) +
                    " topics: who has not moved to the target yet cannot be told any more where to go on");
  reply_.add_plan("forget link " + link_->name());
}

Task<Result<api::DeleteLinkReply>> LinkDeletion::run(bool dry_run, bool force, Deadline deadline, CallerPtr caller) {
  CO_CHECK(link_->may_be_deleted());
  plan();
  const std::string name = link_->name();
  if (live_topics_ > 0 && !force)
    co_return Error(ErrorCode::kInvalidArgument, "link " + name + " has " + std::to_string(live_topics_) +
                                                     " mirror topics that are not STOPPED: promote or fail them over "
                                                     "first, or give --force (they stay as they are)");
  if (dry_run) co_return std::move(reply_);
  auto guard = co_await links_.lock(deadline);
  if (!guard) co_return guard.error().in("another link is being made or deleted: try again");
  CO_TRY(auto left, co_await link_->forget(deadline, std::move(caller)));
  for (auto& text : left) reply_.add_plan(std::move(text));
  if (!links_.remove(name)) co_return std::move(reply_);  // the gateway is stopping; what is left is collected later
  co_await link_->stop();
  auto collected = co_await links_.backend()->collect_garbage(name, deadline);
  if (!collected)
    reply_.add_plan("what the link kept at the target is not forgotten yet, and will be: " +
                    collected.error().to_string());
  co_return std::move(reply_);
}

Task<Result<api::DeleteLinkReply>> delete_unreadable(LinkRegistry& links, api::DeleteLinkRequest request,
                                                     Deadline deadline) {
  const std::string name = request.link();
  api::DeleteLinkReply reply;
  reply.add_plan("forget link " + name + ", which cannot be read, and all that it keeps at the target; topics stay");
  if (request.dry_run()) co_return reply;
  auto guard = co_await links.lock(deadline);
  if (!guard) co_return guard.error().in("another link is being made or deleted: try again");
  auto bad = links.unreadable().find(name);
  if (bad != links.unreadable().end() && !request.force())
    co_return Error(ErrorCode::kInvalidArgument, bad->second.why.detail);
  CO_CHECK(co_await links.forget_unreadable(name, deadline));
  auto collected = co_await links.backend()->collect_garbage(name, deadline);
  if (!collected)
    reply.add_plan("what the link kept at the target is not forgotten yet, and will be: " +
                   collected.error().to_string());
  co_return reply;
}

}  // namespace farshore::linker
