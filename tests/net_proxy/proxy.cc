#include "tests/net_proxy/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace farshore::net_proxy {

namespace {

constexpr int kBacklog = 1024;
constexpr int kEventsMax = 64;

Error failed(std::string_view what) {
  return Error(ErrorCode::kUnavailable, std::string(what) + ": " + strerror(errno));
}

Result<sockaddr_in> address_of(const Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  if (::inet_pton(AF_INET, endpoint.host.c_str(), &address.sin_addr) != 1)
    return Error(ErrorCode::kInvalidArgument, "'" + endpoint.host + "' is no numeric IPv4 address");
  return address;
}

const sockaddr* generic(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

void set_option(int fd, int level, int name, int value) { (void)::setsockopt(fd, level, name, &value, sizeof value); }

void close_socket(int& fd, bool by_reset) {
  if (fd < 0) return;
  if (by_reset) {
    linger now{1, 0};
    (void)::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  ::close(std::exchange(fd, -1));
}

}  // namespace

// `near` is the socket that was accepted, `far` the one to the target; -1 when it is gone.
struct Proxy::Connection {
  Connection(Proxy& proxy, int near_fd, int far_fd)
      : near(near_fd),
        far(far_fd),
        lines{{proxy.conditions_, kForward, proxy.lanes_[kForward], proxy.random_},
              {proxy.conditions_, kBack, proxy.lanes_[kBack], proxy.random_}} {}
  // What epoll hands back: which socket of which connection.
  struct Side {
    Connection* connection;
    bool is_near;
  };
  int near, far;
  DelayLine lines[2];
  Side sides[2] = {{this, true}, {this, false}};
  bool half_open = false;
};

Proxy::Proxy(uint64_t seed) : random_(seed), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

Proxy::~Proxy() {
  finish_all(true);
  close_socket(listener_, false);
  ::close(epoll_);
}

MonoTime Proxy::now() {
  auto since = std::chrono::steady_clock::now().time_since_epoch();
  return MonoTime(std::chrono::duration_cast<Duration>(since));
}

Status Proxy::open(const Endpoint& listen, const Endpoint& target) {
  FARSHORE_TRY(sockaddr_in at, address_of(listen));
  FARSHORE_CHECK(address_of(target));
  target_ = target;
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener_ < 0) return failed("a socket");
  set_option(listener_, SOL_SOCKET, SO_REUSEADDR, 1);
  socklen_t length = sizeof at;
  if (::bind(listener_, generic(at), length) != 0 || ::listen(listener_, kBacklog) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &length) != 0)
    return failed("listening on " + listen.to_string());
  local_ = {listen.host, ntohs(at.sin_port)};
  epoll_event event{EPOLLIN | EPOLLET, {.ptr = &listener_}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) != 0) return failed("epoll");
  return ok();
}

void Proxy::accept_all() {
  if (!std::exchange(acceptable_, false)) return;
  for (;;) {
    int near = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (near < 0 && errno == EINTR) continue;
    if (near < 0) return;
    ++accepted_;
    begin(near);
  }
}

void Proxy::begin(int near) {
  int far = conditions_.cut ? -1 : ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  auto to = address_of(target_);
  if (far < 0 || (::connect(far, generic(*to), sizeof *to) != 0 && errno != EINPROGRESS)) {
    close_socket(far, true);
    return close_socket(near, true);
  }
  for (int fd : {near, far}) set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  Connection& connection = connections_.emplace_back(*this, near, far);
  for (auto& side : connection.sides) {
    epoll_event event{EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.ptr = &side}};
    (void)::epoll_ctl(epoll_, EPOLL_CTL_ADD, side.is_near ? near : far, &event);
  }
}

void Proxy::finish(Connection& connection, bool by_reset) {
  close_socket(connection.near, by_reset);
  close_socket(connection.far, by_reset);
}

void Proxy::finish_all(bool by_reset) {
  for (Connection& connection : connections_) finish(connection, by_reset);
  connections_.clear();
}

void Proxy::half_open() {
  for (Connection& connection : connections_) {
    close_socket(connection.far, true);
    connection.half_open = true;
  }
}

// Those who wait for a far end that is gone learn it now, and a stream with a hole in it must not go on.
void Proxy::heal() {
  for (auto it = connections_.begin(); it != connections_.end();) {
    const bool has_hole = it->lines[kForward].swallowed_some() || it->lines[kBack].swallowed_some();
    if (it->half_open || has_hole) {
      finish(*it, true);
      it = connections_.erase(it);
    } else {
      ++it;
    }
  }
}

bool Proxy::serve(MonoTime at) {
  bool moved = false;
  for (auto it = connections_.begin(); it != connections_.end();) {
    Connection& connection = *it;
    if (connection.half_open) {
      ++it;
      continue;
    }
    DelayLine& forward = connection.lines[kForward];
    DelayLine& back = connection.lines[kBack];
    moved |= forward.run(connection.near, connection.far, at);
    moved |= back.run(connection.far, connection.near, at);
    const bool broken = forward.end() == DelayLine::End::kBroken || back.end() == DelayLine::End::kBroken;
    const bool finished = forward.end() == DelayLine::End::kFinished && back.end() == DelayLine::End::kFinished;
    if (broken || finished) {
      finish(connection, broken);
      it = connections_.erase(it);
    } else {
      ++it;
    }
  }
  return moved;
}

MonoTime Proxy::next_time() const {
  MonoTime next = MonoTime::max();
  for (const Connection& connection : connections_) {
    if (!connection.half_open)
      next = std::min({next, connection.lines[kForward].next(), connection.lines[kBack].next()});
  }
  for (const Scheduled& each : timeline_) next = std::min(next, each.at);
  return next;
}

void Proxy::wait(MonoTime until) {
  timespec timeout{};
  if (Duration left = until - std::min(until, now()); until != MonoTime::max() && left > Duration(0)) {
    timeout.tv_sec = static_cast<time_t>(left / seconds(1));
    timeout.tv_nsec = static_cast<long>((left % seconds(1)).count());
  }
  epoll_event events[kEventsMax];
  int count = ::epoll_pwait2(epoll_, events, kEventsMax, until == MonoTime::max() ? nullptr : &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.ptr == &listener_) {
      acceptable_ = true;
    } else if (events[i].data.ptr == &commanded_) {
      commanded_ = true;
    } else {
      const auto& side = *static_cast<Connection::Side*>(events[i].data.ptr);
      DelayLine& in = side.connection->lines[side.is_near ? kForward : kBack];
      DelayLine& out = side.connection->lines[side.is_near ? kBack : kForward];
      if (events[i].events & ~static_cast<uint32_t>(EPOLLOUT)) in.readable();
      if (events[i].events & ~static_cast<uint32_t>(EPOLLIN)) out.writable();
    }
  }
}

Result<Event> Proxy::command(std::string_view words) {
  FARSHORE_TRY(Event event, apply_command(words, conditions_));
  if (event == Event::kCut) finish_all(false);
  if (event == Event::kReset) finish_all(true);
  if (event == Event::kHalfOpen) half_open();
  if (event == Event::kHeal) heal();
  return event;
}

void Proxy::later(Duration after, std::string words) { timeline_.push_back({MonoTime(after), std::move(words)}); }

namespace {

void say(int fd, std::string line) {
  line += '\n';
  if (fd >= 0) (void)!::write(fd, line.data(), line.size());
}

std::string answer_to(const std::string& words, const Result<Event>& event, const ProxyStats& stats) {
  if (!event) return "error: " + event.error().detail;
  if (*event != Event::kStats) return "ok: " + words;
  return "stats: connections " + std::to_string(stats.connections) + " accepted " + std::to_string(stats.accepted) +
         " forward_bytes " + std::to_string(stats.forward_bytes) + " back_bytes " + std::to_string(stats.back_bytes) +
         " swallowed_bytes " + std::to_string(stats.swallowed_bytes);
}

}  // namespace

bool Proxy::obey_timeline(int answers) {
  for (size_t i = 0; i < timeline_.size();) {
    if (timeline_[i].at > now()) {
      ++i;
      continue;
    }
    std::string words = std::move(timeline_[i].words);
    timeline_.erase(timeline_.begin() + static_cast<std::ptrdiff_t>(i));
    auto event = command(words);
    say(answers, answer_to(words, event, stats()));
    if (event && *event == Event::kQuit) return false;
  }
  return true;
}

bool Proxy::obey(int commands, int answers, bool until_end) {
  if (!std::exchange(commanded_, false)) return true;
  char bytes[4096];
  ssize_t n = ::read(commands, bytes, sizeof bytes);
  if (n <= 0) {
    (void)::epoll_ctl(epoll_, EPOLL_CTL_DEL, commands, nullptr);
    return !until_end;
  }
  unread_.append(bytes, static_cast<size_t>(n));
  for (size_t end; (end = unread_.find('\n')) != std::string::npos; unread_.erase(0, end + 1)) {
    const std::string words = unread_.substr(0, end);
    auto event = command(words);
    say(answers, answer_to(words, event, stats()));
    if (event && *event == Event::kQuit) return false;
  }
  return true;
}

void Proxy::run(int commands, int answers, bool until_end) {
  for (Scheduled& each : timeline_) each.at = now() + each.at.time_since_epoch();
  if (commands >= 0) {
    epoll_event event{EPOLLIN, {.ptr = &commanded_}};
    // stdin is a plain file or closed: it cannot be waited for, so there are no commands.
    (void)::epoll_ctl(epoll_, EPOLL_CTL_ADD, commands, &event);
  }
  bool moved = false;
  for (;;) {
    wait(moved ? MonoTime{} : next_time());
    if (!obey(commands, answers, until_end) || !obey_timeline(answers)) return;
    accept_all();
    moved = serve(now());
  }
}

ProxyStats Proxy::stats() const {
  ProxyStats stats;
  stats.connections = connections_.size();
  stats.accepted = accepted_;
  stats.forward_bytes = lanes_[kForward].bytes;
  stats.back_bytes = lanes_[kBack].bytes;
  stats.swallowed_bytes = lanes_[kForward].swallowed_bytes + lanes_[kBack].swallowed_bytes;
  return stats;
}

}  // namespace farshore::net_proxy
