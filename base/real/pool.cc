#include "base/real/pool.h"

#include <pthread.h>
#include <signal.h>

namespace farshore {

BlockingPool::BlockingPool(Reactor& reactor, std::string name, size_t threads, size_t jobs_max)
    : reactor_(reactor), name_(std::move(name)), threads_max_(threads), jobs_max_(jobs_max), room_(reactor) {
  ensure(threads > 0 && jobs_max > 0, "a pool has threads");
}

void BlockingPool::submit(std::unique_ptr<Job> job) {
  bool another = false;
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
    another = queue_.size() > idle_;
  }
  work_there_.notify_one();
  if (!another || threads_.size() >= threads_max_) return;
  // Signals belong to the thread of the Env.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  threads_.emplace_back([this] { work(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(threads_.back().native_handle(), name_.substr(0, 15).c_str());
}

void BlockingPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    while (queue_.empty() && !ending_) {
      ++idle_;
      work_there_.wait(lock);
      --idle_;
    }
    if (ending_) return;
    auto job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job->run();
    job.reset();
    lock.lock();
  }
}

void BlockingPool::stop() {
  stopped_ = true;
  std::deque<std::unique_ptr<Job>> dropped;
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    dropped.swap(queue_);
  }
  work_there_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace farshore
