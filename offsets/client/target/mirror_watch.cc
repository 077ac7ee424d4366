#include "offsets/client/target/mirror_watch.h"

#include <condition_variable>
#include <mutex>
#include <set>

#include "offsets/client/target/internal/env_thread.h"
#include "offsets/client/target/internal/relay_map.h"
#include "proto/link/client/mirror_client.h"

namespace farshore::client {
namespace {

constexpr Duration kEvery = seconds(1), kRound = seconds(4), kProbe = seconds(2), kBrokerLimit = seconds(3);

std::chrono::milliseconds steady_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch());
}

TopicAtTarget::State state_of(MirrorRole role) {
  using State = TopicAtTarget::State;
  switch (role) {
    case MirrorRole::kMirror:
      return State::kMirror;
    case MirrorRole::kPromoted:
      return State::kPromoted;
    case MirrorRole::kFailedOver:
      return State::kFailedOver;
    case MirrorRole::kNotMirror:
      break;
  }
  return State::kNotMirror;
}

TopicAtTarget read_topic(const MirrorTopicAnswer& from) {
  TopicAtTarget to;
  to.state = state_of(role_of(from));
  for (const auto& partition : from.partitions) {
    auto& out = to.partitions[partition.partition];  // also if the target reports an error for it: then its failover
                                                     // offset stays unknown
    if (partition.error_code != 0) continue;
    out.end_offset = partition.end_offset;
    if (partition.promotion) out.failover_offset = partition.promotion->offset;
  }
  return to;
}

TopicAtTarget read_relay(const RelayedTopic& from) {
  using State = TopicAtTarget::State;
  TopicAtTarget to;
  to.relay_link = from.link;
  to.state = !from.ended ? State::kMirror : from.promoted ? State::kPromoted : State::kFailedOver;
  for (int32_t p = 0; p < from.partitions; ++p) to.partitions[p];
  for (const auto& [partition, end] : from.ends) {
    to.partitions[partition].failover_offset = end.source;
    if (end.target >= 0) to.partitions[partition].failover_target_offset = end.target;
  }
  return to;
}

}  // namespace

class MirrorWatch::Impl {
 public:
  Impl(std::vector<Endpoint> target, std::vector<Endpoint> source, const MirrorWatchOptions& options)
      : env_(thread_.env()),
        wake_(env_),
        stop_(env_),
        periodic_(options.periodic),
        topics_(options.topics.begin(), options.topics.end()),
        target_(env_, env_.network(), cluster_options(std::move(target), kRound)),
        mirrors_(target_, kBrokerLimit),
        relays_(env_, target_) {
    if (!source.empty())
      source_ =
          std::make_unique<kafka::ClusterClient>(env_, env_.network(), cluster_options(std::move(source), kRound));
    spawn(thread_.gate(), "libfarshore target", watch_target());
    if (source_) spawn(thread_.gate(), "libfarshore source", watch_source());
    thread_.start();
  }

  ~Impl() {
    thread_.end([this] {
      stopping_ = true;
      target_.close();
      if (source_) source_->close();
      wake_.close();
      stop_.close();
    });
  }

  std::shared_ptr<const TargetView> view() const {
    std::lock_guard lock(mutex_);
    return view_;
  }
  std::chrono::milliseconds source_seen() const {
    std::lock_guard lock(mutex_);
    return source_seen_;
  }
  void ask_now() {
    thread_.post([this] { wake(); });
  }
  std::shared_ptr<const TargetView> fresh(const std::string& topic, std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    topics_.insert(topic);
    const uint64_t wanted = rounds_begun_ + 1;
    ask_now();
    if (!changed_.wait_for(lock, timeout, [&] { return rounds_done_ >= wanted; })) return nullptr;
    return view_;
  }

 private:
  void wake() {
    asked_ = true;
    wake_.notify();
  }

  Task<void> watch_target() {
    while (!stopping_) {
      if (periodic_ || asked_) {
        asked_ = false;
        const uint64_t round = begin_round();
        auto answer = co_await ask(topics());
        publish(round, std::move(answer));
      }
      if (!asked_ && !stopping_) (void)co_await wake_.wait(env_.in(kEvery));
    }
  }

  Task<void> watch_source() {
    while (!stopping_) {
      auto answer = co_await source_->refresh_all(env_.in(kProbe));
      if (answer) {
        std::lock_guard lock(mutex_);
        source_seen_ = steady_now();
      } else {
        wake();
      }
      if (!stopping_) (void)co_await stop_.wait(env_.in(kEvery));
    }
  }

  Task<Result<std::map<std::string, TopicAtTarget>>> ask(std::vector<std::string> names) {
    Deadline deadline = env_.in(kRound);
    std::map<std::string, TopicAtTarget> out;
    CO_TRY(auto cluster, co_await target_.refresh(names, deadline));
    std::vector<std::pair<std::string, int32_t>> present;
    for (const auto& name : names) {
      out[name];  // kNotThere, unless the target describes it
      auto found = cluster->topics.find(name);
      if (found != cluster->topics.end() && !found->second.partitions.empty())
        present.emplace_back(name, static_cast<int32_t>(found->second.partitions.size()));
    }
    if (present.empty()) co_return out;
    auto client = co_await target_.any(deadline);
    if (!client) co_return std::move(client).error();
    if (!(*client)->range_of(
            kafka::MirrorControlRequest::kApiKey)) {  // not a Farshore cluster: relay links fill its topics
      CO_TRY(auto relayed, co_await relays_.topics(deadline));
      for (const auto& each : present) {
        out[each.first].state = TopicAtTarget::State::kNotMirror;
        auto found = relayed.find(each.first);
        if (found != relayed.end()) out[each.first] = read_relay(found->second);
      }
      co_return out;
    }
    auto answers = co_await mirrors_.describe_all(std::move(present), deadline);
    if (!answers) co_return std::move(answers).error().in("describe mirrors");
    for (const auto& topic : *answers) {
      if (!topic.name) continue;
      if (topic.error_code != 0)
        co_return mirror_error(topic.error_code, topic.error_message).in("describe " + *topic.name);
      out[*topic.name] = read_topic(topic);
    }
    co_return out;
  }

  std::vector<std::string> topics() const {
    std::lock_guard lock(mutex_);
    return {topics_.begin(), topics_.end()};
  }
  uint64_t begin_round() {
    std::lock_guard lock(mutex_);
    return ++rounds_begun_;
  }
  void publish(uint64_t round, Result<std::map<std::string, TopicAtTarget>> answer) {
    auto next = std::make_shared<TargetView>();
    std::lock_guard lock(mutex_);
    if (answer) {
      next->answered = true;
      next->topics = std::move(*answer);
    } else {
      *next = *view_;
      next->problem = answer.error().to_string();
    }
    view_ = std::move(next);
    rounds_done_ = round;
    changed_.notify_all();
  }

  EnvThread thread_;
  Env& env_;
  Notifier wake_, stop_;
  const bool periodic_;
  bool stopping_ = false, asked_ = false;  // used on the thread only
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> topics_;
  std::shared_ptr<const TargetView> view_ = std::make_shared<TargetView>();
  std::chrono::milliseconds source_seen_{0};
  uint64_t rounds_begun_ = 0, rounds_done_ = 0;
  kafka::ClusterClient target_;
  MirrorClient mirrors_;
  RelayMap relays_;  // used if the target is not a Farshore cluster
  std::unique_ptr<kafka::ClusterClient> source_;
};

std::unique_ptr<MirrorWatch> MirrorWatch::open(const MirrorWatchOptions& options, Problem& problem) {
  auto target = parse_bootstrap(options.target);
  if (!target) {
    problem = {Problem::Kind::kInvalid, "target: " + target.error().to_string()};
    return nullptr;
  }
  std::vector<Endpoint> source;
  if (!options.source.empty()) {
    auto parsed = parse_bootstrap(options.source);
    if (!parsed) {
      problem = {Problem::Kind::kInvalid, "source: " + parsed.error().to_string()};
      return nullptr;
    }
    source = std::move(*parsed);
  }
  return std::unique_ptr<MirrorWatch>(
      new MirrorWatch(std::make_unique<Impl>(std::move(*target), std::move(source), options)));
}

MirrorWatch::MirrorWatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MirrorWatch::~MirrorWatch() = default;
std::shared_ptr<const TargetView> MirrorWatch::view() const { return impl_->view(); }
std::chrono::milliseconds MirrorWatch::source_seen() const { return impl_->source_seen(); }
void MirrorWatch::ask_now() { impl_->ask_now(); }
std::shared_ptr<const TargetView> MirrorWatch::fresh(const std::string& topic, std::chrono::milliseconds timeout) {
  return impl_->fresh(topic, timeout);
}

}  // namespace farshore::client
