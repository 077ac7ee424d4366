#include "offsets/client/target/internal/env_thread.h"

#include <pthread.h>
#include <signal.h>

namespace farshore::client {
namespace {

class NoLogger final : public Logger {
 public:
  void write(LogLevel, std::string_view, std::initializer_list<LogField>) override {}
  bool enabled(LogLevel) const override { return false; }
};

RealEnvOptions embedded_options() {
  RealEnvOptions options{
      .make_logger = [](LogLevel) -> std::unique_ptr<Logger> { return std::make_unique<NoLogger>(); }};
  options.blocking_threads = 1;
  options.ignore_sigpipe = false;  // this thread blocks all signals, and the process belongs to the application
  return options;
}

}  // namespace

EnvThread::EnvThread() : env_(embedded_options()), gate_(env_), closing_(env_) {}

EnvThread::~EnvThread() { ensure(!thread_.joinable(), "end() was called before the destruction of an EnvThread"); }

void EnvThread::start() {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  thread_ = std::thread([this] { env_.run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void EnvThread::post(std::function<void()> work) { env_.post(std::move(work)); }

void EnvThread::end(std::function<void()> stop) {
  post([this, stop = std::move(stop)] {
    stop();
    spawn(closing_, "libfarshore end", close_gate());
  });
  thread_.join();
}

Task<void> EnvThread::close_gate() {
  co_await gate_.close();
  env_.stop();
}

kafka::ClusterOptions cluster_options(std::vector<Endpoint> bootstrap, Duration request_timeout) {
  kafka::ClusterOptions options;
  options.bootstrap = std::move(bootstrap);
  options.client.client_id = "libfarshore";
  options.connect_timeout = seconds(2);
  options.request_timeout = request_timeout;
  options.backoff_max = milliseconds(500);
  return options;
}

}  // namespace farshore::client
