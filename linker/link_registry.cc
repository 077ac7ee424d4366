#include "linker/link_registry.h"

#include <utility>

#include "proto/link/keys.h"

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
  if (auto bad = unreadable_.find(name); bad != unreadable_.end()) return bad->second.why;
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

api::Link LinkRegistry::Unreadable::shown(const std::string& link) const {
  api::Link out;
  out.mutable_spec()->set_name(link);
  out.set_state(std::string(farshore::name(LinkState::kFailed)));
  out.set_state_reason(why.detail);
  out.set_lag_records(-1);
  out.set_lag_ms_max(-1);
  return out;
}

void LinkRegistry::add_unreadable(const std::string& name, int64_t revision, const Error& why) {
  Unreadable& known = unreadable_[name];
  known.why = Error(ErrorCode::kUnsupported,
                    "stored link " + name + " cannot be read, so it does not run (" + why.to_string() +
                        "): start a gateway of the release that wrote it; if it is damaged, 'farshore link delete " +
                        name + " --force' removes it");
  if (std::exchange(known.revision, revision) != revision)
    env_.log().error("a stored link cannot be read: the others run", {{"link", name}, {"error", known.why}});
}

Task<Status> LinkRegistry::forget_unreadable(std::string name, Deadline deadline) {
  auto found = unreadable_.find(name);
  if (found == unreadable_.end()) co_return Error(ErrorCode::kNotFound, "no link '" + name + "'");
  StoredEntry entry;
  entry.key = link_key(name);
  entry.revision = found->second.revision;
  CO_CHECK(co_await backend_->store().replace(std::move(entry), deadline));
  unreadable_.erase(name);
  co_return ok();
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
