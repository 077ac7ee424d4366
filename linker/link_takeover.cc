#include "linker/link_takeover.h"

#include <algorithm>

#include "base/plant.h"
#include "proto/link/keys.h"

namespace farshore::linker {
namespace {

constexpr Duration kLoadLimit = seconds(10), kTakeOverLimit = seconds(10);
constexpr Duration kGarbageLimit = seconds(60);  // of one round; the next one goes on

}  // namespace

LinkTakeover::LinkTakeover(Env& env, Connector& connector, const GatewayOptions& options, ClusterAdmin& target,
                           LinkRegistry& links, UnconfirmedLinks& unconfirmed)
    : env_(env),
      connector_(connector),
      options_(options),
      target_(target),
      links_(links),
      unconfirmed_(unconfirmed),
      stopping_(env),
      tried_(env),
      gate_(env) {}

LinkTakeover::~LinkTakeover() = default;

void LinkTakeover::start() { spawn(gate_, "gateway load", load()); }

Task<void> LinkTakeover::tried() { (void)co_await tried_.wait(Deadline::never()); }

void LinkTakeover::request_stop() {
  stopping_.set();
  tried_.set();
}

Task<void> LinkTakeover::end() { co_await gate_.close(); }

Task<void> LinkTakeover::load() {
  while (!stopping_.is_set()) {
    auto loaded = co_await load_once();
    if (loaded) {
      links_.set_ready();
      tried_.set();
      env_.log().info("gateway ready", {{"target", to_string(options_.target)}, {"links", links_.all().size()}});
      spawn(gate_, "gateway watch", watch());
      co_return;
    }
    if (loaded.error() == ErrorCode::kFenced) {
      co_await give_up(loaded.error());
      tried_.set();
      co_return;
    }
    note_failure(loaded.error());
    tried_.set();
    (void)co_await stopping_.wait(env_.in(options_.retry));
  }
}

Task<Status> LinkTakeover::load_once() {
  CO_CHECK(co_await open_backend());
  CO_TRY(auto stored, co_await links_.backend()->store().links(env_.in(kLoadLimit)));
  Status result;
  for (auto& entry : stored) {
    auto taken = co_await take_over(entry, env_.in(kTakeOverLimit));
    if (!taken) result = taken;  // the others are taken over all the same
  }
  co_return result;
}

Task<Status> LinkTakeover::open_backend() {
  if (in_control_) co_return ok();
  if (!links_.backend()) {
    CO_TRY(auto target, co_await identify(target_, env_.in(kLoadLimit)));
    LinkBackendOptions options;
    options.target = options_.target;
    options.target_cluster_id = target.cluster_id;
    options.translations = translations_;
    links_.set_backend(make_link_backend(env_, connector_, target_, target.farshore, std::move(options)));
  }
  CO_CHECK(co_await links_.backend()->take_over(env_.in(kTakeOverLimit)));
  in_control_ = true;
  co_return ok();
}

Task<Status> LinkTakeover::take_over(StoredEntry entry, Deadline deadline) {
  auto guard = co_await links_.lock();
  auto link = decode_stored_link(entry.value);
  if (!link) {
    links_.add_unreadable(parse_link_key(entry.key).link, entry.revision, link.error());
    co_return ok();
  }
  if (links_.has(link->spec.name)) co_return ok();
  if (!planted(env_, Plant::kEpochNotRaised)) link->epoch = link->epoch + 1;
  link->writer = env_.random().uuid().to_string();
  entry.value = encode(*link);
  CO_TRY(const int64_t revision, co_await links_.backend()->store().replace(std::move(entry), deadline));
  if (stopping_.is_set()) co_return Error(ErrorCode::kClosed);
  auto added = links_.add(*link, revision);
  if (!added) co_return std::move(added).error().in("link " + link->spec.name);
  env_.log().info("link taken over", {{"link", link->spec.name}, {"epoch", link->epoch}});
  co_return ok();
}

void LinkTakeover::note_failure(const Error& error) {
  std::string kind(error_name(error.code));
  std::replace(kind.begin(), kind.end(), ' ', '_');
  env_.metrics()
      .counter("farshore_gateway_takeover_errors_total",
               "Tries to take hold of the target's links that failed, by the kind of error; conflict: another cluster "
               "is behind the target's address.",
               {{"kind", std::move(kind)}})
      .add(1);
  if (links_.not_ready_reason() != error.to_string())
    env_.log().warn("the stored links cannot be taken over yet", {{"error", error}});
  links_.set_not_ready(error.to_string());
}

Task<void> LinkTakeover::watch() {
  while (!stopping_.is_set()) {
    (void)co_await stopping_.wait(env_.in(options_.watch));
    if (stopping_.is_set()) break;
    auto ours = co_await links_.backend()->still_ours(env_.in(kLoadLimit));
    if (!ours && ours.error() == ErrorCode::kFenced) {
      co_await give_up(std::move(ours).error());
      break;
    }
    if (!ours) continue;  // the target does not answer: that says nothing about other gateways
    {
      auto guard = co_await links_.lock();
      co_await links_.remove_deleted();
    }
    if (!unconfirmed_.empty()) {
      auto guard = co_await links_.lock();
      (void)co_await unconfirmed_.adopt(env_.in(kLoadLimit));  // after an error: in the next round
    }
    co_await collect_garbage();
  }
}

Task<void> LinkTakeover::collect_garbage() {
  auto collected = co_await links_.backend()->collect_garbage(std::string(), env_.in(kGarbageLimit));
  const std::string error = collected ? std::string() : collected.error().to_string();
  if (!collected && error != garbage_error_ && !stopping_.is_set())
    env_.log().warn("what deleted links left cannot be forgotten yet", {{"error", collected.error()}});
  garbage_error_ = error;
}

Task<void> LinkTakeover::give_up(Error fenced) {
  auto guard = co_await links_.lock();
  links_.set_not_ready("another gateway has taken over the links of this target; this one does nothing any more: " +
                       fenced.to_string());
  env_.log().error("another gateway has taken over: this one stops its links", {{"reason", fenced}});
  co_await links_.remove_all();
}

}  // namespace farshore::linker
