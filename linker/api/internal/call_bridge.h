// CallBridge: runs the coroutine of one control API call on the Env's executor while its gRPC thread waits, with a
// Mailbox between them. No link state is touched by gRPC's threads.
// Threads: call() and stream() on gRPC's; end() on any but the executor's; gate() on the executor.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "base/env.h"
#include "base/gate.h"
#include "linker/api/internal/grpc_status.h"
#include "linker/api/internal/mailbox.h"

namespace farshore::linker {

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

  // `work()` is called on the executor and returns Task<Result<Reply>>.
  template <class Reply, class Work>
  grpc::Status call(grpc::ServerContext* context, Reply* reply, Work work) {
    auto mailbox = std::make_shared<Mailbox<Reply>>();
    env_.post([this, mailbox, work]() mutable {
      if (!spawn(gate_, "control call", answer(mailbox, work())))
        mailbox->finish({grpc::StatusCode::UNAVAILABLE, "the gateway is stopping"});
    });
    grpc::Status status;
    auto cancelled = [&] { return stopping() || context->IsCancelled(); };
    if (!mailbox->next(*reply, status, cancelled)) return status;
    Reply rest;
    mailbox->next(rest, status, cancelled);
    return status;
  }

  // `work(send)` is called on the executor and returns Task<Status>; send(Message) reaches the caller.
  template <class Message, class Work>
  grpc::Status stream(grpc::ServerContext* context, grpc::ServerWriter<Message>* writer, Work work) {
    auto mailbox = std::make_shared<Mailbox<Message>>();
    env_.post([this, mailbox, work]() mutable {
      auto send = [mailbox](Message message) { mailbox->push(std::move(message)); };
      if (!spawn(gate_, "control stream", answer_stream(mailbox, work(send))))
        mailbox->finish({grpc::StatusCode::UNAVAILABLE, "the gateway is stopping"});
    });
    grpc::Status status;
    Message message;
    while (mailbox->next(message, status, [&] { return stopping() || context->IsCancelled(); }))
      if (!writer->Write(message)) return {grpc::StatusCode::CANCELLED, "the caller went away"};
    return status;
  }

 private:
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
