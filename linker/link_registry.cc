#include "linker/link_registry.h"

namespace farshore::linker {
namespace {

constexpr Duration kRemainsLimit = seconds(10);

}  // namespace

LinkRegistry::LinkRegistry(Env& env, Connector& connector, replicator::ReplicatorOptions options)
    : env_(env), connector_(connector), options_(options), changing_(env) {}

LinkRegistry::~LinkRegistry() = default;

Status LinkRegistry::check_ready() const {
  if (ready_) return ok();
  return Error(ErrorCode::kUnavailable, "the gateway has not read its links yet: " + not_ready_reason_);
}

Result<LinkRegistry::LinkPtr> LinkRegistry::find(const std::string& name) const {
  auto found = links_.find(name);
  if (found != links_.end()) return found->second;
  FARSHORE_CHECK(check_ready());
  std::string known;
  for (const auto& entry : links_) known += (known.empty() ? "" : ", ") + entry.first;
  return Error(ErrorCode::kNotFound,
               "no link '" + name + "'; " + (known.empty() ? "there is none" : "there are: " + known));
}

Result<LinkRegistry::LinkPtr> LinkRegistry::add(const StoredLink& stored, int64_t revision) {
  if (stopping_) return Error(ErrorCode::kClosed, "the gateway is stopping");
  FARSHORE_TRY(auto target, backend_->make_target(stored));
  LinkStore* const own = target->own_store();
  LinkStore& store = own ? *own : backend_->store();
  auto link = std::make_shared<Link>(env_, connector_, arena_, store, std::move(target), stored, revision, options_);
  link->start();
  links_[stored.spec.name] = link;
  return link;
}

bool LinkRegistry::remove(const std::string& name) { return !stopping_ && links_.erase(name) > 0; }

Task<void> LinkRegistry::stop() {
  stopping_ = true;
  const Map links = links_;
  for (const auto& entry : links) co_await entry.second->stop();
  if (backend_) co_await backend_->stop();
}

Task<void> LinkRegistry::remove_all() {
  auto links = std::move(links_);
  links_.clear();
  for (auto& entry : links) co_await entry.second->stop();
}

Task<void> LinkRegistry::remove_deleted() {
  std::vector<LinkPtr> deleted;
  for (const auto& [name, link] : links_)
    if (link->is_deleted()) deleted.push_back(link);
  for (const auto& link : deleted) {
    if (!remove(link->name())) co_return;
    env_.log().info("link forgotten: it was deleted by another gateway", {{"link", link->name()}});
    co_await link->stop();
    // Or by this one, which did not hear that it had succeeded. After an error: the next round of all garbage.
    (void)co_await backend_->collect_garbage(link->name(), env_.in(kRemainsLimit));
  }
}

void LinkRegistry::set_ready() {
  ready_ = true;
  not_ready_reason_.clear();
}

void LinkRegistry::set_not_ready(std::string reason) {
  ready_ = false;
  not_ready_reason_ = std::move(reason);
}

}  // namespace farshore::linker
