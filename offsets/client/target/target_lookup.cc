#include "offsets/client/target/target_lookup.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "offsets/client/target/internal/env_thread.h"
#include "offsets/client/target/internal/relay_map.h"
#include "offsets/client/target/internal/sasl_connector.h"
#include "offsets/client/target/internal/target_topics.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/messages/mirror_append.h"

namespace farshore::client {
namespace {

using LookupMillis = std::chrono::milliseconds;
constexpr Duration kRequest = seconds(5);
// So much before the caller's timeout the call ends by itself: its error says more than "no answer".
constexpr LookupMillis kSpareMax(100);

Problem problem_of(const Error& error) {
  using Kind = Problem::Kind;
  const auto problem = [&](Kind kind, std::string text) {
    return Problem(kind, std::move(text), kafka::code_in(error));
  };
  switch (error.code) {
    case ErrorCode::kNone:
      return {};
    case ErrorCode::kNotFound:
      return problem(Kind::kNotMirrored, error.detail);
    case ErrorCode::kOutOfRange:
      return problem(Kind::kOutOfRange, error.detail);
    case ErrorCode::kInvalidArgument:
      return problem(Kind::kInvalid, error.detail);
    case ErrorCode::kClosed:
      return problem(Kind::kClosed, "closed");
    case ErrorCode::kTimedOut:
    case ErrorCode::kUnavailable:
    case ErrorCode::kConnectionReset:
      return problem(Kind::kUnavailable, "the target does not answer: " + error.to_string());
    default:
      return problem(Kind::kFailed, error.to_string());
  }
}

// Shared by the thread that waits and the coroutine that answers, whichever lives longer.
template <class T>
struct Pending {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<T> answer;
  bool too_many = false;  // calls are under way: this one was not begun
};

template <class T>
Task<void> finish_pending(std::shared_ptr<Pending<T>> pending, Task<T> task) {
  T answer = co_await std::move(task);
  std::lock_guard lock(pending->mutex);
  pending->answer = std::move(answer);
  pending->changed.notify_all();
}

}  // namespace

// Everything that is known of one cluster.
struct TargetLookup::Known {
  Known(Env& env, Connector& connector, std::vector<Endpoint> bootstrap)
      : cluster(env, connector, cluster_options(std::move(bootstrap), kRequest)),
        map(env, cluster),
        topics(env, cluster) {}
  kafka::ClusterClient cluster;
  RelayMap map;
  TargetTopics topics;
  std::optional<bool> farshore;  // a cluster does not change its kind
};

class TargetLookup::Impl {
 public:
  Impl(std::vector<Endpoint> target, ConnectionSecurity security)
      : target_(std::move(target)), connector_(thread_.env(), std::move(security)) {
    known_ = std::make_shared<Known>(thread_.env(), connector_, target_);
    thread_.start();
  }
  ~Impl() {
    thread_.end([this] {
      ended_ = true;
      known_->cluster.close();
    });
  }

  template <class T>
  struct Ran {
    std::optional<T> answer;
    Problem problem;  // why there is none
  };
  // Runs make(deadline) on the thread, and waits for its answer at most `timeout`. A coroutine whose answer comes later
  // ends by itself. With kCallsMax under way, the call is not begun.
  template <class T, class Make>
  Ran<T> run(Make make, LookupMillis timeout) {
    auto pending = std::make_shared<Pending<T>>();
    const LookupMillis own = timeout - std::min(timeout / 10, kSpareMax);
    thread_.post([this, pending, make = std::move(make), own] {
      if (thread_.gate().count() >= kCallsMax) {
        std::lock_guard lock(pending->mutex);
        pending->too_many = true;
        pending->changed.notify_all();
        return;
      }
      spawn(thread_.gate(), "libfarshore call", finish_pending(pending, make(thread_.env().in(own))));
    });
    std::unique_lock lock(pending->mutex);
    pending->changed.wait_for(lock, timeout, [&] { return pending->answer.has_value() || pending->too_many; });
    Ran<T> ran;
    ran.answer = std::move(pending->answer);
    if (!ran.answer) ran.problem = pending->too_many ? too_many_calls() : no_answer(timeout);
    return ran;
  }

  Task<Result<bool>> find_kind(Deadline deadline) {
    auto known = known_;  // lives as long as the calls on it
    if (known->farshore) co_return *known->farshore;
    auto client = co_await known->cluster.any(deadline);
    while (!client && client.error() == ErrorCode::kUnavailable) {
      auto paused = co_await known->cluster.pause(2, deadline);
      if (!paused) break;
      client = co_await known->cluster.any(deadline);
    }
    if (!client) co_return std::move(client).error();
    known->farshore = (*client)->range_of(kafka::MirrorAppendRequest::kApiKey) != nullptr;
    co_return *known->farshore;
  }

  Task<Result<TopicAtTarget>> topic(std::string name, Deadline deadline) {
    auto known = known_;
    std::vector<std::string> names{name};
    auto found = co_await known->topics.ask(std::move(names), deadline);
    if (!found) {
      note(known, found.error());
      co_return std::move(found).error();
    }
    co_return std::move((*found)[name]);
  }

  Task<std::vector<RelayAnswer>> ask(std::vector<RelayQuestion> questions, Deadline deadline) {
    auto known = known_;
    auto answers = co_await known->map.ask(std::move(questions), deadline);
    for (const auto& answer : answers) note(known, answer.error);
    co_return answers;
  }

 private:
  static Problem no_answer(LookupMillis timeout) {
    return {Problem::Kind::kUnavailable,
            "the target does not answer: nothing came within " + std::to_string(timeout.count()) + " ms: call again"};
  }
  static Problem too_many_calls() {
    return {Problem::Kind::kUnavailable,
            "not asked: " + std::to_string(kCallsMax) + " calls are under way at the same time, the limit: call again"};
  }

  // If another cluster answers than at first, the next call begins with it: the first answer may have come from a wrong
  // one.
  void note(const std::shared_ptr<Known>& known, const Error& error) {
    if (error != ErrorCode::kConflict || known != known_ || ended_) return;
    known->cluster.close();
    known_ = std::make_shared<Known>(thread_.env(), connector_, target_);
  }

  EnvThread thread_;
  const std::vector<Endpoint> target_;
  SaslConnector connector_;
  std::shared_ptr<Known> known_;  // used on the thread only
  bool ended_ = false;
};

std::unique_ptr<TargetLookup> TargetLookup::open(const ClusterAddress& target, Problem& problem) {
  auto parsed = parse_bootstrap(target.bootstrap);
  if (!parsed) {
    problem = {Problem::Kind::kInvalid, "target: " + parsed.error().to_string()};
    return nullptr;
  }
  auto security = connection_security("target", target.properties, problem);
  if (!security) return nullptr;
  return std::unique_ptr<TargetLookup>(
      new TargetLookup(std::make_unique<Impl>(std::move(*parsed), std::move(*security))));
}

TargetLookup::TargetLookup(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TargetLookup::~TargetLookup() = default;

Problem TargetLookup::is_farshore(bool& farshore, LookupMillis timeout) {
  Impl* impl = impl_.get();
  auto ran = impl->run<Result<bool>>([impl](Deadline deadline) { return impl->find_kind(deadline); }, timeout);
  if (!ran.answer) return std::move(ran.problem);
  const Result<bool>& answer = *ran.answer;
  if (!answer) return problem_of(answer.error());
  farshore = *answer;
  return {};
}

Problem TargetLookup::topic(const std::string& name, TopicAtTarget& topic, LookupMillis timeout) {
  Impl* impl = impl_.get();
  auto ran = impl->run<Result<TopicAtTarget>>([impl, name](Deadline deadline) { return impl->topic(name, deadline); },
                                              timeout);
  if (!ran.answer) return std::move(ran.problem);
  Result<TopicAtTarget>& answer = *ran.answer;
  if (!answer) return problem_of(answer.error());
  topic = std::move(*answer);
  return {};
}

std::vector<TargetLookup::Answer> TargetLookup::ask(std::vector<RelayQuestion> questions, LookupMillis timeout) {
  std::vector<Answer> out(questions.size());
  Impl* impl = impl_.get();
  auto ran = impl->run<std::vector<RelayAnswer>>(
      [impl, questions = std::move(questions)](Deadline deadline) { return impl->ask(questions, deadline); }, timeout);
  for (size_t i = 0; i < out.size(); ++i) {
    if (!ran.answer) {
      out[i].problem = ran.problem;
      continue;
    }
    RelayAnswer& from = (*ran.answer)[i];
    out[i].problem = problem_of(from.error);
    out[i].topic = std::move(from.topic);
    out[i].offset = from.offset;
    out[i].limit = from.limit;
    out[i].exact = from.exact;
    out[i].ended = from.ended;
  }
  return out;
}

}  // namespace farshore::client
