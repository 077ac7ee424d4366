// LogHealth: whether a log may still be used. A log ends by close(), or by a disk error: after a failed write or sync
// nobody knows which bytes are on the disk, so every later call fails.
// Executor: the Env's.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/env.h"

namespace farshore {

class LogHealth {
 public:
  LogHealth(Env& env, std::string directory) : env_(env), directory_(std::move(directory)) {}

  // kIo: the log died. kClosed: it was closed.
  Status usable() const;
  // Nothing was done, and the log goes on: the disk is full, or no file descriptor is free. Anything else that goes
  // wrong with a file is the end of the log.
  static bool refused(const Error& error) { return error == ErrorCode::kNoSpace || error == ErrorCode::kUnavailable; }
  Status alive() const;  // like usable(), but a closed log is fine
  // What a call that changes the log returns after a file operation failed: the error itself if nothing was done
  // (refused), else the log dies. So no other code of the file system (not found, not permitted) reaches a client, who
  // would read it as an answer about the topic.
  Error failed(Error error) { return refused(error) ? error : die(std::move(error)); }
  // The same for a call that only reads. The log lives on: kIo takes the place of what a single file answered.
  template <class T>
  static Result<T> read_result(Result<T> result) {
    if (!result && (result.error() == ErrorCode::kNotFound || result.error() == ErrorCode::kPermissionDenied))
      return Error(ErrorCode::kIo, result.error().to_string());
    return result;
  }
  // The log dies of `error` (of its first error, if it is dead already). Returns the error that callers get: kIo.
  Error die(Error error);
  void on_death(std::function<void()> hook) { hook_ = std::move(hook); }
  bool closed() const { return closed_; }
  void close() { closed_ = true; }

 private:
  Env& env_;
  std::string directory_;
  std::optional<Error> death_;
  std::function<void()> hook_;
  bool closed_ = false;
};

}  // namespace farshore
