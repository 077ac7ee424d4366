#include "broker/mirror/link_fences.h"

#include <algorithm>
#include <utility>

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;

}  // namespace

LinkFences::Pass& LinkFences::Pass::operator=(Pass&& other) noexcept {
  if (this == &other) return *this;
  leave();
  fences_ = std::exchange(other.fences_, nullptr);
  link_ = other.link_;
  taking_ = other.taking_;
  return *this;
}

void LinkFences::Pass::leave() {
  LinkFences* fences = std::exchange(fences_, nullptr);
  if (!fences) return;
  Link& link = fences->under_way_[link_];
  --(taking_ ? link.takers : link.writes);
  fences->drop_if_idle(link_);
  fences->changed_.notify();
}

void LinkFences::drop_if_idle(LinkId link) {
  auto found = under_way_.find(link);
  if (found != under_way_.end() && found->second.writes == 0 && found->second.takers == 0) under_way_.erase(found);
}

Task<Result<LinkFences::Pass>> LinkFences::enter(LinkId link, Deadline deadline) {
  for (auto found = under_way_.find(link); found != under_way_.end() && found->second.takers > 0;
       found = under_way_.find(link))
    CO_CHECK(co_await changed_.wait(deadline));
  ++under_way_[link].writes;
  Pass pass;
  pass.fences_ = this;
  pass.link_ = link;
  co_return std::move(pass);
}

Task<LinkFences::Entered> LinkFences::compare(LinkWriter writer, bool must_be_stored, Deadline deadline) {
  Entered entered;
  auto pass = co_await enter(writer.link, deadline);
  if (!pass) {
    entered.refusal = {Code::kRequestTimedOut, "the link is being taken over by another gateway"};
    co_return std::move(entered);
  }
  // Read after the write has entered: who raises the epoch now waits for it.
  auto stored = co_await links_.find(writer.link, deadline);
  if (!stored)
    entered.refusal = refusal_of(stored.error());
  else if (!*stored && must_be_stored)
    entered.refusal = {Code::kProducerFenced, "the link " + writer.link.to_string() + " was deleted"};
  else if (*stored && (*stored)->epoch > writer.epoch)
    entered.refusal = {Code::kProducerFenced, "a newer gateway has the link (epoch " +
                                                  std::to_string((*stored)->epoch.value()) + ", yours is " +
                                                  std::to_string(writer.epoch.value()) + ")"};
  if (!entered.refusal) entered.pass = std::move(*pass);
  co_return std::move(entered);
}

Task<LinkFences::Entered> LinkFences::write(LinkWriter writer, Deadline deadline) {
  co_return co_await compare(writer, /*must_be_stored=*/true, deadline);
}

Task<LinkFences::Entered> LinkFences::write(std::string client_id, Deadline deadline) {
  const auto writer = parse_link_writer(client_id);
  if (!writer) co_return Entered();
  co_return co_await compare(*writer, /*must_be_stored=*/true, deadline);
}

Task<LinkFences::Entered> LinkFences::write_if_stored(LinkWriter writer, Deadline deadline) {
  co_return co_await compare(writer, /*must_be_stored=*/false, deadline);
}

Task<Result<LinkFences::Pass>> LinkFences::take(LinkId link, Deadline deadline) {
  ++under_way_[link].takers;
  Pass pass;
  pass.fences_ = this;
  pass.link_ = link;
  pass.taking_ = true;
  const Deadline hangs = env_.in(kWaitMax);
  while (under_way_[link].writes > 0 && !hangs.passed(env_.now())) {
    (void)co_await changed_.wait(std::min(deadline, hangs));
    if (under_way_[link].writes > 0 && deadline.passed(env_.now()))
      co_return Error(ErrorCode::kTimedOut, std::to_string(under_way_[link].writes) +
                                                " writes of the gateway that has the link now are not done yet");
  }
  if (under_way_[link].writes > 0)
    env_.log().warn("a link changes its owner while writes of the former one hang",
                    {{"link", link.to_string()}, {"writes", under_way_[link].writes}});
  end_sessions(link);
  co_return std::move(pass);
}

void LinkFences::end_sessions(LinkId link) {
  const ImagePtr image = metadata_.image();
  for (const auto& [name, topic] : image->topics) {
    if (topic->mirror && topic->mirror->link == link) targets_.end_sessions(topic->id);
  }
}

}  // namespace farshore::broker
