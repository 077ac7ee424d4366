#include "base/real/env.h"

#include <signal.h>
#include <sys/random.h>
#include <time.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>

#include "base/real/disk.h"
#include "base/real/internal/file_syncs.h"
#include "base/real/pool.h"
#include "base/real/tcp.h"
#include "base/real/timers.h"

namespace farshore {

namespace asio = boost::asio;

namespace {

MonoTime monotonic_now() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return MonoTime(seconds(t.tv_sec) + nanoseconds(t.tv_nsec));
}

uint64_t kernel_seed() {
  uint64_t seed = 0;
  ensure(::getrandom(&seed, sizeof seed, 0) == sizeof seed, "the kernel gives no random bytes");
  return seed;
}

}  // namespace

struct RealEnv::Impl {
  explicit Impl(const RealEnvOptions& options)
      : timers(io, monotonic_now), random(kernel_seed()), log(options.make_logger(options.log_level)) {}
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  Timers timers;
  Random random;
  std::unique_ptr<Logger> log;
  MetricRegistry metrics;
  std::unique_ptr<BlockingPool> pool, names, syncs;
  std::unique_ptr<Network> network;
  std::unique_ptr<FileSystem> files;
  std::unique_ptr<asio::signal_set> signals;
  std::atomic<bool> stopped = false;  // also before run(), which would forget it
  bool dead = false;
};

RealEnv::RealEnv(RealEnvOptions options) : impl_(std::make_unique<Impl>(options)) {
  struct sigaction pipe {};
  if (options.ignore_sigpipe && ::sigaction(SIGPIPE, nullptr, &pipe) == 0 && pipe.sa_handler == SIG_DFL)
    ::signal(SIGPIPE, SIG_IGN);
  impl_->pool =
      std::make_unique<BlockingPool>(*this, "farshore-io", options.blocking_threads, options.blocking_jobs_max);
  // Apart, so that a slow name server never holds up the disk.
  impl_->names = std::make_unique<BlockingPool>(*this, "farshore-names", 2, options.blocking_jobs_max);
  // Apart, so that no open and no cold read waits behind many syncs.
  impl_->syncs = std::make_unique<BlockingPool>(*this, "farshore-sync", FileSyncs::kThreads, options.blocking_jobs_max);
  TcpOptions tcp;
  tcp.send_bytes = options.socket_send_bytes;
  tcp.receive_bytes = options.socket_receive_bytes;
  impl_->network = make_tcp_network(*this, impl_->io, *impl_->pool, *impl_->names, tcp);
  impl_->files = make_posix_files(*this, *impl_->pool, *impl_->syncs);
}

RealEnv::~RealEnv() { shutdown(); }

void RealEnv::post(Closure work) {
  asio::post(impl_->io, [impl = impl_.get(), work = std::move(work)]() mutable {
    if (!impl->dead) work();
  });
}
MonoTime RealEnv::now() { return monotonic_now(); }
TimerId RealEnv::arm(MonoTime at, std::function<void()> fn) {
  return impl_->dead ? 0 : impl_->timers.arm(at, std::move(fn));
}
void RealEnv::cancel(TimerId timer) { impl_->timers.cancel(timer); }
bool RealEnv::dead() const { return impl_->dead; }
Random& RealEnv::random() { return impl_->random; }
Network& RealEnv::network() { return *impl_->network; }
FileSystem& RealEnv::files() { return *impl_->files; }
Logger& RealEnv::log() { return *impl_->log; }
MetricRegistry& RealEnv::metrics() { return impl_->metrics; }
BlockingPool& RealEnv::pool() { return *impl_->pool; }

WallTime RealEnv::wall_now() {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return {static_cast<int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000};
}

void RealEnv::run() {
  ensure(!impl_->dead, "an Env runs once");
  impl_->io.restart();
  if (!impl_->stopped) impl_->io.run();  // a stop() from now on ends it at once
  shutdown();
}

void RealEnv::run_for(Duration limit, const std::function<bool()>& done) {
  impl_->io.restart();
  auto until = std::chrono::steady_clock::now() + limit;
  while (!impl_->stopped && !(done && done()) && impl_->io.run_one_until(until) > 0) {
  }
}

void RealEnv::stop() {
  impl_->stopped = true;
  impl_->io.stop();
}

void RealEnv::shutdown() {
  if (impl_->dead) return;
  impl_->dead = true;
  // First the threads: a job may still read into a waiting frame's memory.
  impl_->pool->stop();
  impl_->names->stop();
  impl_->syncs->stop();
  impl_->signals.reset();
  impl_->timers.clear();
  // First what is ready: it refers to frames that wait. Destroying a frame may complete other waits.
  do {
    impl_->io.restart();
    while (impl_->io.poll() > 0) {
    }
    waits().abandon_all();
    impl_->io.restart();
  } while (impl_->io.poll() > 0);
}

Task<Result<int>> RealEnv::terminated() {
  ensure(!impl_->signals, "one coroutine waits for signals");
  impl_->signals = std::make_unique<asio::signal_set>(impl_->io, SIGTERM, SIGINT);
  Wait<int> wait(*this);
  impl_->signals->async_wait([wait, this](const boost::system::error_code& failure, int number) {
    if (failure) return wait.complete(Error(ErrorCode::kClosed));
    boost::system::error_code ignored;
    impl_->signals->clear(ignored);  // the next one has its default effect
    wait.complete(number);
  });
  co_return co_await wait.wait(Deadline::never());
}

}  // namespace farshore
