// Budget: a named limit in bytes, shared by many; a token holds a part of it until destroyed.
#pragma once

#include <string>
#include <utility>

#include "base/event.h"

namespace farshore {

class Budget {
 public:
  Budget(Reactor& reactor, std::string name, size_t bytes_max)
      : freed_(reactor), name_(std::move(name)), bytes_max_(bytes_max) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  class Token {
   public:
    Token() = default;
    Token(Token&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Token& operator=(Token&& other) noexcept {
      if (this != &other) {
        release();
        budget_ = std::exchange(other.budget_, nullptr);
        bytes_ = std::exchange(other.bytes_, 0);
      }
      return *this;
    }
    ~Token() { release(); }
    size_t bytes() const { return bytes_; }
    void release() {
      if (budget_) budget_->give_back(bytes_);
      budget_ = nullptr;
      bytes_ = 0;
    }
    // Moves `bytes` of this token into a new one.
    Token split(size_t bytes) {
      Token part;
      part.budget_ = budget_;
      part.bytes_ = bytes;
      bytes_ -= bytes;
      return part;
    }
    void merge(Token other) {
      if (!budget_) budget_ = other.budget_;
      bytes_ += std::exchange(other.bytes_, 0);
      other.budget_ = nullptr;
    }

   private:
    friend class Budget;
    Budget* budget_ = nullptr;
    size_t bytes_ = 0;
  };

  // Waits until the bytes are free. More than the whole budget is given when nothing else is out (progress over
  // strictness: one oversized batch must not stop a link for ever).
  Task<Result<Token>> acquire(size_t bytes, Deadline deadline) {
    while (used_ > 0 && used_ + bytes > bytes_max_) {
      auto waited = co_await freed_.wait(deadline);
      if (!waited) co_return std::move(waited).error().in("budget " + name_);
    }
    co_return take(bytes);
  }
  // Takes without waiting, beyond the limit if need be: what was already received must be held.
  Token take(size_t bytes) {
    Token token;
    token.budget_ = this;
    token.bytes_ = bytes;
    used_ += bytes;
    return token;
  }
  // Waits until at most `used_max` bytes (below the limit) are out.
  Task<Status> wait_for_room(size_t used_max, Deadline deadline) {
    while (used_ > used_max) {
      auto waited = co_await freed_.wait(deadline);
      if (!waited) co_return std::move(waited).error().in("budget " + name_);
    }
    co_return ok();
  }
  size_t used_bytes() const { return used_; }
  size_t bytes_max() const { return bytes_max_; }
  bool exhausted() const { return used_ >= bytes_max_; }

 private:
  void give_back(size_t bytes) {
    used_ -= bytes;
    if (used_ < bytes_max_) freed_.notify();
  }
  Notifier freed_;
  std::string name_;
  size_t bytes_max_, used_ = 0;
};

}  // namespace farshore
