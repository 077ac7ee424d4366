#include "offsets/client/target/mirror_watch.h"

#include <mutex>
#include <optional>

#include "offsets/client/target/internal/env_thread.h"
#include "offsets/client/target/internal/target_topics.h"
#include "offsets/client/target/internal/watched_cluster.h"
#include "proto/kafka/error_code.h"

namespace farshore::client {
namespace {

constexpr Duration kRound = seconds(4), kProbe = seconds(2);

std::chrono::milliseconds watch_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

class MirrorWatch::Impl {
 public:
  Impl(std::vector<Endpoint> target, ConnectionSecurity target_security, std::vector<Endpoint> source,
       ConnectionSecurity source_security, std::vector<std::string> topics)
      : env_(thread_.env()),
        stop_(env_),
        topics_(std::move(topics)),
        target_(env_, std::move(target), std::move(target_security), kRound),
        source_cluster_(env_, std::move(source), std::move(source_security), kProbe) {
    ask_topics_.emplace(env_, target_.client());
    spawn(thread_.gate(), "libfarshore target", watch_target());
    spawn(thread_.gate(), "libfarshore source", watch_source());
    thread_.start();
  }

  ~Impl() {
    thread_.end([this] {
      stopping_ = true;
      target_.close();
      source_cluster_.close();
      stop_.close();
    });
  }

  std::shared_ptr<const TargetView> view() const {
    std::lock_guard lock(mutex_);
    return view_;
  }
  SourceView source() const {
    std::lock_guard lock(mutex_);
    return source_;
  }
  void source_is_over() {
    thread_.post([this] {
      source_over_ = true;
      source_cluster_.close();
    });
  }

 private:
  Task<void> watch_target() {
    while (!stopping_) {
      auto answer = co_await ask_topics_->ask(topics_, env_.in(kRound));
      if (stopping_) break;
      if (answer) {
        target_.answered();
      } else if (target_.failed(answer.error())) {
        ask_topics_.emplace(env_, target_.client());
      }
      publish(std::move(answer));
      (void)co_await stop_.wait(env_.in(target_.pause()));
    }
  }

  // One connection that answers is enough: no topic is asked for.
  Task<void> watch_source() {
    while (!stopping_ && !source_over_) {
      std::vector<std::string> no_topics;
      auto answer = co_await source_cluster_.client().refresh(std::move(no_topics), env_.in(kProbe));
      if (stopping_ || source_over_) break;
      {
        std::lock_guard lock(mutex_);
        source_.problem = answer ? std::string() : answer.error().to_string();
        source_.refused = !answer && is_refusal(answer.error());
        source_.kafka_code = kafka::code_in(answer.error());
        if (answer) source_.seen = watch_now();
      }
      if (answer)
        source_cluster_.answered();
      else
        (void)source_cluster_.failed(answer.error());
      (void)co_await stop_.wait(env_.in(source_cluster_.pause()));
    }
  }

  void publish(Result<std::map<std::string, TopicAtTarget>> answer) {
    auto next = std::make_shared<TargetView>();
    std::lock_guard lock(mutex_);
    if (answer) {
      next->answered = true;
      next->topics = std::move(*answer);
    } else {
      *next = *view_;
      next->problem = answer.error().to_string();
      next->refused = is_refusal(answer.error());
      next->kafka_code = kafka::code_in(answer.error());
    }
    view_ = std::move(next);
  }

  EnvThread thread_;
  Env& env_;
  Notifier stop_;
  bool stopping_ = false, source_over_ = false;  // used on the thread only
  const std::vector<std::string> topics_;
  mutable std::mutex mutex_;
  std::shared_ptr<const TargetView> view_ = std::make_shared<TargetView>();
  SourceView source_;
  WatchedCluster target_, source_cluster_;
  std::optional<TargetTopics> ask_topics_;
};

std::unique_ptr<MirrorWatch> MirrorWatch::open(const MirrorWatchOptions& options, Problem& problem) {
  auto target = parse_bootstrap(options.target.bootstrap);
  if (!target) {
    problem = {Problem::Kind::kInvalid, "target: " + target.error().to_string()};
    return nullptr;
  }
  auto source = parse_bootstrap(options.source.bootstrap);
  if (!source) {
    problem = {Problem::Kind::kInvalid, "source: " + source.error().to_string()};
    return nullptr;
  }
  auto target_security = connection_security("target", options.target.properties, problem);
  if (!target_security) return nullptr;
  auto source_security = connection_security("source", options.source.properties, problem);
  if (!source_security) return nullptr;
  return std::unique_ptr<MirrorWatch>(
      new MirrorWatch(std::make_unique<Impl>(std::move(*target), std::move(*target_security), std::move(*source),
                                             std::move(*source_security), options.topics)));
}

MirrorWatch::MirrorWatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MirrorWatch::~MirrorWatch() = default;
std::shared_ptr<const TargetView> MirrorWatch::view() const { return impl_->view(); }
SourceView MirrorWatch::source() const { return impl_->source(); }
void MirrorWatch::source_is_over() { impl_->source_is_over(); }

}  // namespace farshore::client
