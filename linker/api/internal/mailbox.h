// Mailbox: hands the messages of one call from its coroutine on the Env's executor to its gRPC thread, in order, and
// then the call's status. Bounded: if the caller reads too slowly, later messages are dropped, and the status says so.
// Threads: as each method says. Strings in messages are made printable.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>

#include "linker/printable.h"

namespace farshore::linker {

template <class Message>
class Mailbox {
 public:
  static constexpr size_t kMessagesMax = 4096;

  // On the executor.
  void push(Message message) {
    make_printable(message);
    std::lock_guard lock(mutex_);
    if (messages_.size() < kMessagesMax) {
      messages_.push_back(std::move(message));
    } else {
      ++lost_;
    }
    changed_.notify_one();
  }
  // On the executor, once, after the last message.
  void finish(grpc::Status status) {
    std::lock_guard lock(mutex_);
    status_ = std::move(status);
    if (lost_ > 0 && status_->ok())  // the outcome of a topic may be among them
      status_ = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                             "the work is done, but the caller read too slowly: " + std::to_string(lost_) +
                                 " messages about it were dropped (see farshore status)");
    changed_.notify_one();
  }
  // On the gRPC thread: waits for the next message. False at the end, with the call's status. Asks `cancelled` a few
  // times per second.
  bool next(Message& message, grpc::Status& status, const std::function<bool()>& cancelled) {
    std::unique_lock lock(mutex_);
    while (messages_.empty() && !status_) {
      if (cancelled()) {
        status = grpc::Status(grpc::StatusCode::CANCELLED, "cancelled");
        return false;
      }
      changed_.wait_for(lock, std::chrono::milliseconds(200));
    }
    if (messages_.empty()) {
      status = *status_;
      return false;
    }
    message = std::move(messages_.front());
    messages_.pop_front();
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Message> messages_;
  size_t lost_ = 0;
  std::optional<grpc::Status> status_;
};

}  // namespace farshore::linker
