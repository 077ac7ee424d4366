// Closure: a move-only function of no arguments and no result, as executors queue them. Small ones (most of what
// coroutines post is one pointer) live inside, without an allocation.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace farshore {

class Closure {
 public:
  Closure() = default;
  template <class F>
    requires(!std::is_same_v<std::decay_t<F>, Closure>)
  Closure(F&& f) {  // NOLINT(google-explicit-constructor): a lambda is a closure
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
  Closure(Closure&& other) noexcept : ops_(std::exchange(other.ops_, nullptr)) {
    if (ops_) ops_->move(other.room_, room_);
  }
  Closure& operator=(Closure&& other) noexcept {
    if (this != &other) {
      reset();
      ops_ = std::exchange(other.ops_, nullptr);
      if (ops_) ops_->move(other.room_, room_);
    }
    return *this;
  }
  ~Closure() { reset(); }
  explicit operator bool() const { return ops_ != nullptr; }
  // At most once: the call may use up what the closure holds. Precondition: it is not empty.
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

}  // namespace farshore
