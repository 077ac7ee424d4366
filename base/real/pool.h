// Threads for system calls that may block (open, sync, rename, cold reads, RocksDB, name resolution). A job runs on one
// of them; its result comes back on the Env's executor. Executor: the Env's, for all calls.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/event.h"

namespace farshore {

class BlockingPool {
 public:
  // `jobs_max`: queued and running; more callers than that wait for their turn.
  BlockingPool(Reactor& reactor, std::string name, size_t threads, size_t jobs_max);
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;
  ~BlockingPool() { stop(); }

  // Runs `job`, which returns a Result or Status, on a thread. It must own what it uses, apart from memory of callers
  // who await with no deadline. kTimedOut: the job still runs, its result is dropped. kClosed after stop().
  template <class F, class R = std::invoke_result_t<F&>>
  Task<R> run(F job, Deadline deadline = Deadline::never()) {
    while (!stopped_ && jobs_ >= jobs_max_) CO_CHECK(co_await room_.wait(deadline));
    if (stopped_) co_return Error(ErrorCode::kClosed);
    Wait<typename R::value_type> done(reactor_);
    ++jobs_;
    submit(std::make_unique<TypedJob<F, R>>(*this, std::move(job), done));
    co_return co_await done.wait(deadline);
  }
  // Drops what is queued and waits for what runs: afterwards no thread touches anybody's memory. Idempotent.
  void stop();
  size_t jobs() const { return jobs_; }

 private:
  struct Job {
    virtual ~Job() = default;
    virtual void run() = 0;
  };
  template <class F, class R>
  struct TypedJob final : Job {
    using WaitType = Wait<typename R::value_type>;
    TypedJob(BlockingPool& p, F j, WaitType d) : pool(p), job(std::in_place, std::move(j)), done(std::move(d)) {}
    void run() override {
      R result = (*job)();
      job.reset();  // before anybody learns of the result: what it held (a store, a file) is free again
      // The last reference to the wait is dropped on the executor.
      pool.reactor_.post([&pool = pool, done = std::move(done), result = std::move(result)]() mutable {
        pool.left();
        done.complete(std::move(result));
      });
    }
    BlockingPool& pool;
    std::optional<F> job;
    WaitType done;
  };
  void submit(std::unique_ptr<Job> job);
  void left() {
    --jobs_;
    room_.notify();
  }
  void work();

  Reactor& reactor_;
  std::string name_;
  size_t threads_max_, jobs_max_;
  size_t jobs_ = 0;
  bool stopped_ = false;  // as the executor sees it
  Notifier room_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable work_there_;
  std::deque<std::unique_ptr<Job>> queue_;
  size_t idle_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;  // started when first needed; only the executor touches the vector
};

}  // namespace farshore
