#include "offsets/client/target/relay_lookup.h"

#include <condition_variable>
#include <functional>
#include <mutex>

#include "offsets/client/target/internal/env_thread.h"
#include "offsets/client/target/internal/relay_map.h"
#include "proto/kafka/messages/mirror_append.h"

namespace farshore::client {
namespace {

constexpr Duration kRequest = seconds(5);

Problem problem_of(const Error& error) {
  using Kind = Problem::Kind;
  switch (error.code) {
    case ErrorCode::kNotFound:
      return {Kind::kNotMirrored, error.detail};
    case ErrorCode::kOutOfRange:
      return {Kind::kOutOfRange, error.detail};
    case ErrorCode::kConflict:
    case ErrorCode::kInvalidArgument:
      return {Kind::kInvalid, error.detail};
    case ErrorCode::kClosed:
      return {Kind::kClosed, "closed"};
    case ErrorCode::kTimedOut:
    case ErrorCode::kUnavailable:
    case ErrorCode::kConnectionReset:
      return {Kind::kUnavailable, "the target does not answer: " + error.to_string()};
    default:
      return {Kind::kFailed, error.to_string()};
  }
}

}  // namespace

class RelayLookup::Impl {
 public:
  explicit Impl(std::vector<Endpoint> target)
      : cluster_(thread_.env(), thread_.env().network(), cluster_options(std::move(target), kRequest)),
        map_(thread_.env(), cluster_) {
    thread_.start();
  }
  ~Impl() {
    thread_.end([this] { cluster_.close(); });
  }

  // Runs `task` on the thread and blocks until it has ended. The task keeps its deadline.
  void run(const std::function<Task<void>(Deadline)>& task, std::chrono::milliseconds timeout) {
    std::lock_guard one_at_a_time(calls_);
    std::unique_lock lock(mutex_);
    done_ = false;
    thread_.post(
        [this, &task, timeout] { spawn(thread_.gate(), "libfarshore call", call(task(thread_.env().in(timeout)))); });
    changed_.wait(lock, [&] { return done_; });
  }

  Task<void> find_kind(bool& farshore, Problem& problem, Deadline deadline) {
    auto client = co_await cluster_.any(deadline);
    while (!client && client.error() == ErrorCode::kUnavailable) {
      auto paused = co_await cluster_.pause(2, deadline);
      if (!paused) break;
      client = co_await cluster_.any(deadline);
    }
    if (!client) {
      problem = problem_of(client.error());
    } else {
      farshore = (*client)->range_of(kafka::MirrorAppendRequest::kApiKey) != nullptr;
    }
  }

  Task<void> ask(const RelayQuestion& question, Answer& answer, Deadline deadline) {
    RelayQuestion wanted = question;
    auto found = co_await map_.ask(std::move(wanted), deadline);
    answer.limit = map_.limit();
    answer.ended = map_.ended();
    if (!found) {
      answer.problem = problem_of(found.error());
      co_return;
    }
    answer.topic = found->topic;
    answer.offset = found->offset;
    answer.exact = found->exact;
  }

 private:
  Task<void> call(Task<void> task) {
    co_await std::move(task);
    std::lock_guard lock(mutex_);
    done_ = true;
    changed_.notify_all();
  }

  EnvThread thread_;
  kafka::ClusterClient cluster_;
  RelayMap map_;
  std::mutex calls_, mutex_;
  std::condition_variable changed_;
  bool done_ = false;
};

std::unique_ptr<RelayLookup> RelayLookup::open(const std::string& target, Problem& problem) {
  auto parsed = parse_bootstrap(target);
  if (!parsed) {
    problem = {Problem::Kind::kInvalid, "target: " + parsed.error().to_string()};
    return nullptr;
  }
  return std::unique_ptr<RelayLookup>(new RelayLookup(std::make_unique<Impl>(std::move(*parsed))));
}

RelayLookup::RelayLookup(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RelayLookup::~RelayLookup() = default;

Problem RelayLookup::is_farshore(bool& farshore, std::chrono::milliseconds timeout) {
  Problem problem;
  impl_->run([&](Deadline deadline) { return impl_->find_kind(farshore, problem, deadline); }, timeout);
  return problem;
}

RelayLookup::Answer RelayLookup::ask(RelayQuestion question, std::chrono::milliseconds timeout) {
  Answer answer;
  impl_->run([&](Deadline deadline) { return impl_->ask(question, answer, deadline); }, timeout);
  return answer;
}

}  // namespace farshore::client
