// SimExecutor: where the coroutines of one simulated process run. Every handler goes into the world's ready queue under
// the process's name; nothing ever runs inline; a dead process's handlers are destroyed at once.
#pragma once

#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace farshore::sim {

namespace asio = boost::asio;

class SimEnv;

// A move-only call; small ones (what Asio posts is one pointer) live inside.
class Handler {
 public:
  Handler() = default;
  template <class F>
    requires(!std::is_same_v<std::decay_t<F>, Handler>)
  explicit Handler(F&& f) {
    using Call = std::decay_t<F>;
    // NOLINTNEXTLINE(misc-redundant-expression): for some Call it is
    if constexpr (sizeof(Call) <= kInlineBytes && alignof(Call) <= alignof(std::max_align_t) &&
                  std::is_nothrow_move_constructible_v<Call>) {
      new (room_) Call(std::forward<F>(f));
      ops_ = &kInlineOps<Call>;
    } else {
      *reinterpret_cast<Call**>(room_) = new Call(std::forward<F>(f));
      ops_ = &kHeapOps<Call>;
    }
  }
  Handler(Handler&& other) noexcept : ops_(std::exchange(other.ops_, nullptr)) {
    if (ops_) ops_->move(other.room_, room_);
  }
  Handler& operator=(Handler&& other) noexcept {
    if (this != &other) {
      reset();
      ops_ = std::exchange(other.ops_, nullptr);
      if (ops_) ops_->move(other.room_, room_);
    }
    return *this;
  }
  ~Handler() { reset(); }
  explicit operator bool() const { return ops_ != nullptr; }
  void operator()() { ops_->run(room_); }
  void reset() {
    if (auto* ops = std::exchange(ops_, nullptr)) ops->destroy(room_);
  }

 private:
  static constexpr size_t kInlineBytes = 32;
  struct Ops {
    void (*run)(void*);
    void (*move)(void* from, void* to) noexcept;  // and destroys `from`
    void (*destroy)(void*);
  };
  template <class Call>
  static constexpr Ops kInlineOps{[](void* at) { std::move (*static_cast<Call*>(at))(); },
                                  [](void* from, void* to) noexcept {
                                    new (to) Call(std::move(*static_cast<Call*>(from)));
                                    static_cast<Call*>(from)->~Call();
                                  },
                                  [](void* at) { static_cast<Call*>(at)->~Call(); }};
  template <class Call>
  static constexpr Ops kHeapOps{
      [](void* at) { std::move (**static_cast<Call**>(at))(); },
      [](void* from, void* to) noexcept { *static_cast<Call**>(to) = *static_cast<Call**>(from); },
      [](void* at) { delete *static_cast<Call**>(at); }};

  const Ops* ops_ = nullptr;
  alignas(std::max_align_t) std::byte room_[kInlineBytes];
};

class SimExecutor {
 public:
  explicit SimExecutor(SimEnv& env) : env_(&env) {}

  asio::execution_context& query(asio::execution::context_t) const noexcept;
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  SimExecutor require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  template <class F>
  void execute(F f) const {
    enqueue(Handler(std::move(f)));
  }
  friend bool operator==(const SimExecutor& a, const SimExecutor& b) noexcept { return a.env_ == b.env_; }
  friend bool operator!=(const SimExecutor& a, const SimExecutor& b) noexcept { return a.env_ != b.env_; }

 private:
  void enqueue(Handler handler) const;
  SimEnv* env_;
};

}  // namespace farshore::sim
