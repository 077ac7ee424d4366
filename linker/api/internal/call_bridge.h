// CallBridge: runs the coroutine of one control API call on the Env's executor while its gRPC thread waits, with a
// Mailbox between them. No link state is touched by gRPC's threads. When the client is gone, or its deadline has
// passed, the coroutine is told (Caller): it does nothing any more that cannot be undone. Threads: call() and stream()
// on gRPC's; end() on any but the executor's; gate() on the executor.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "base/env.h"
#include "base/gate.h"
#include "linker/api/internal/grpc_status.h"
#include "linker/api/internal/mailbox.h"
#include "linker/link/verbs/caller.h"

namespace farshore::linker {

// The client of one call: whether it still waits, and for how long.
struct ApiCall {
  CallerPtr caller;
  std::optional<Duration> left;  // nullopt: the client gives no deadline
  // The client's deadline decides, and nothing else: a call may take hours if he waits for hours. A moment earlier, so
  // that he still gets the answer of a call that ran out of time: it says what was done. `otherwise`: of a client who
  // gives none.
  Deadline deadline(Env& env, Duration otherwise) const {
    return env.in(left ? *left - std::min<Duration>(seconds(1), *left / 10) : otherwise);
  }
  // The request itself names a limit.
  Deadline deadline_within(Env& env, Duration limit) const { return env.in(left ? std::min(limit, *left) : limit); }
};

class CallBridge {
 public:
  explicit CallBridge(Env& env) : env_(env), gate_(env) {}

  Env& env() { return env_; }
  bool stopping() const { return stopping_; }
  // Waits until `interval` has passed or the server stops.
  void pause(std::chrono::milliseconds interval) {
    std::unique_lock lock(mutex_);
    stopped_.wait_for(lock, interval, [this] { return stopping_.load(); });
  }
  // Calls that wait return CANCELLED.
  void end() {
    stopping_ = true;
    stopped_.notify_all();
  }

  // `work(const ApiCall&)` is called on the executor and returns Task<Result<Reply>>.
  template <class Reply, class Work>
  grpc::Status call(grpc::ServerContext* context, Reply* reply, Work work) {
    auto mailbox = std::make_shared<Mailbox<Reply>>();
    auto caller = std::make_shared<Caller>();
    const ApiCall from{caller, time_left(*context)};
    env_.post([this, mailbox, work, from]() mutable {
      if (!spawn(gate_, "control call", answer(mailbox, work(from))))
        mailbox->finish({grpc::StatusCode::UNAVAILABLE, "the gateway is stopping"});
    });
    grpc::Status status;
    auto cancelled = [&] { return stopping() || context->IsCancelled(); };
    if (mailbox->next(*reply, status, cancelled)) {
      Reply rest;
      mailbox->next(rest, status, cancelled);
    }
    leave(std::move(caller));
    return status;
  }

  // `work(const ApiCall&, send)` is called on the executor and returns Task<Status>; send(Message) reaches the caller.
  template <class Message, class Work>
  grpc::Status stream(grpc::ServerContext* context, grpc::ServerWriter<Message>* writer, Work work) {
    auto mailbox = std::make_shared<Mailbox<Message>>();
    auto caller = std::make_shared<Caller>();
    const ApiCall from{caller, time_left(*context)};
    env_.post([this, mailbox, work, from]() mutable {
      auto send = [mailbox](Message message) { mailbox->push(std::move(message)); };
      if (!spawn(gate_, "control stream", answer_stream(mailbox, work(from, send))))
        mailbox->finish({grpc::StatusCode::UNAVAILABLE, "the gateway is stopping"});
    });
    grpc::Status status;
    Message message;
    while (mailbox->next(message, status, [&] { return stopping() || context->IsCancelled(); })) {
      if (writer->Write(message)) continue;
      status = {grpc::StatusCode::CANCELLED, "the caller went away"};
      break;
    }
    leave(std::move(caller));
    return status;
  }

 private:
  static constexpr std::chrono::hours kLongest{24};  // that a client may wait; more is taken for no deadline

  static std::optional<Duration> time_left(const grpc::ServerContext& context) {
    const auto now = std::chrono::system_clock::now();
    if (context.deadline() > now + kLongest) return std::nullopt;
    return std::max<Duration>(context.deadline() - now, Duration::zero());
  }
  // Also of a call that has ended: then nobody asks any more.
  void leave(std::shared_ptr<Caller> caller) {
    env_.post([caller = std::move(caller)] { caller->leave(); });
  }

  template <class Reply>
  Task<void> answer(std::shared_ptr<Mailbox<Reply>> mailbox, Task<Result<Reply>> work) {
    auto result = co_await std::move(work);
    if (!result) count_refusal(result.error());
    if (result) mailbox->push(std::move(*result));
    mailbox->finish(result ? grpc::Status::OK : to_grpc(result.error()));
  }

  template <class Message>
  Task<void> answer_stream(std::shared_ptr<Mailbox<Message>> mailbox, Task<Status> work) {
    auto result = co_await std::move(work);
    if (!result) count_refusal(result.error());
    mailbox->finish(result ? grpc::Status::OK : to_grpc(result.error()));
  }

  void count_refusal(const Error& error) {
    env_.metrics()
        .counter("farshore_gateway_calls_refused_total",
                 "Calls of the control API that ended in an error, by its kind.",
                 {{"code", std::string(error_name(error.code))}})
        .add();
  }

  Env& env_;
  Gate gate_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable stopped_;
};

}  // namespace farshore::linker
