#include "base/sim/net.h"

#include <algorithm>

#include "base/sim/connection.h"
#include "base/sim/world.h"

namespace farshore::sim {
namespace {

constexpr size_t kChunkBytes = 64 << 10;
constexpr Duration kRetryFirst = milliseconds(200), kRetryMax = seconds(4);

constexpr size_t kBacklog = 128;

void wake(std::optional<Wait<void>>& waiting) {
  if (waiting) waiting->complete(ok());
}

}  // namespace

SimNet::SimNet(SimWorld& world) : world_(world), random_(world.seed() ^ 0x4E7), conditions_(world, random_) {}

SimNet::~SimNet() = default;

void SimNet::trace(std::string text) { world_.trace().line(world_.time_text() + " net: " + text); }

SimHost& SimNet::need_host(std::string_view name) { return world_.host(name); }

void SimNet::set_profile(std::string_view from, std::string_view to, LinkProfile profile) {
  conditions_.set_profile(need_host(from), need_host(to), profile);
}

void SimNet::cut(std::string_view from, std::string_view to) {
  trace("cut " + std::string(from) + " -> " + std::string(to));
  conditions_.cut(need_host(from), need_host(to));
}

void SimNet::partition(std::string_view a, std::string_view b) {
  cut(a, b);
  cut(b, a);
}

void SimNet::isolate(std::string_view name) {
  trace("isolate " + std::string(name));
  need_host(name).isolated = true;
}

void SimNet::clog(std::string_view from, std::string_view to, Duration time) {
  trace("clog " + std::string(from) + " -> " + std::string(to));
  conditions_.clog(need_host(from), need_host(to), time);
}

void SimNet::swizzle(std::vector<std::string> hosts, Duration time) {
  std::erase_if(hosts, [&](const std::string&) { return random_.chance(0.4); });
  for (const auto& name : hosts) {
    const Duration from = nanoseconds(random_.between(0, time.count() / 2));
    const Duration to = from + nanoseconds(random_.between(0, time.count() / 2));
    world_.after(from, [this, name] { isolate(name); });
    world_.after(to, [this, name] {
      trace("release " + name);
      need_host(name).isolated = false;
    });
  }
}

void SimNet::heal() {
  trace("heal");
  conditions_.heal();
  world_.for_each_host([](SimHost& h) { h.isolated = false; });
}

size_t SimNet::draw_window() {
  if (window_ > 0) return window_;
  static constexpr size_t kWindows[] = {128 << 10, 512 << 10, 2 << 20};
  return kWindows[random_.below(std::size(kWindows))];
}

// --- bytes

void SimNet::send(const std::shared_ptr<Connection>& c, int side, ConstBytes bytes) {
  auto& pipe = c->pipe[side];
  const auto &from = *c->side[side].host, &to = *c->side[1 - side].host;
  const Duration now = world_.now();
  world_.trace().mix(digest(bytes, c->id * 2 + static_cast<uint64_t>(side)));
  stats_.bytes += bytes.size();
  while (!bytes.empty()) {
    const bool join = !pipe.flight.empty() && !pipe.flight.back().end && pipe.flight.back().sent == now &&
                      pipe.flight.back().bytes.size() < kChunkBytes;
    if (!join) {
      Chunk chunk;
      chunk.sent = now;
      chunk.arrives = pipe.last_arrival =
          std::max(std::max(now, pipe.busy_until) + conditions_.delay(from, to), pipe.last_arrival);
      pipe.flight.push_back(std::move(chunk));
    }
    Chunk& last = pipe.flight.back();
    const size_t n = std::min(bytes.size(), kChunkBytes - last.bytes.size());
    last.bytes.insert(last.bytes.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    bytes = bytes.subspan(n);
    pipe.flight_bytes += n;
    double rate = conditions_.bytes_per_second(from, to);
    const Duration time = nanoseconds(static_cast<int64_t>(static_cast<double>(n) / rate * 1e9));
    pipe.busy_until = std::max(now, pipe.busy_until) + time;
    last.arrives = pipe.last_arrival = last.arrives + time;
  }
  if (!pipe.scheduled) schedule(c, side, pipe.flight.front().arrives - now);
}

void SimNet::send_end(const std::shared_ptr<Connection>& c, int side) {
  auto& pipe = c->pipe[side];
  Chunk chunk;
  chunk.end = true;
  chunk.sent = world_.now();
  chunk.arrives = pipe.last_arrival = std::max(
      std::max(world_.now(), pipe.busy_until) + conditions_.delay(*c->side[side].host, *c->side[1 - side].host),
      pipe.last_arrival);
  pipe.flight.push_back(std::move(chunk));
  if (!pipe.scheduled) schedule(c, side, pipe.flight.front().arrives - world_.now());
}

void SimNet::schedule(const std::shared_ptr<Connection>& c, int side, Duration in) {
  c->pipe[side].scheduled = true;
  world_.after(in, [this, c, side] {
    c->pipe[side].scheduled = false;
    deliver(c, side);
  });
}

void SimNet::deliver(const std::shared_ptr<Connection>& c, int side) {
  auto& pipe = c->pipe[side];
  auto& receiver = c->side[1 - side];
  if (pipe.black_hole || pipe.flight.empty()) return;
  Duration until{};
  if (!receiver.host->up || conditions_.blocked(*c->side[side].host, *receiver.host, until)) {
    if (!c->side[side].host->up) return;  // nobody is left to send it again
    Duration retry = std::min<Duration>(kRetryFirst * (1 << std::min(pipe.retries++, 6)), kRetryMax);
    retry += nanoseconds(random_.between(0, retry.count() / 4));
    if (until > world_.now()) retry = until - world_.now();
    ++stats_.retransmissions;
    return schedule(c, side, retry);
  }
  pipe.retries = 0;
  size_t arrived = 0;
  while (!pipe.flight.empty() && pipe.flight.front().arrives <= world_.now()) {
    if (!receiver.open) {  // closed, or the process died: its kernel refuses
      const bool only_end = pipe.flight.front().end;
      pipe.flight.clear();
      pipe.flight_bytes = 0;
      if (!only_end) send_reset(c, 1 - side);
      return;
    }
    Chunk& chunk = pipe.flight.front();
    if (chunk.end) {
      pipe.end_arrived = true;
    } else {
      pipe.flight_bytes -= chunk.bytes.size();
      pipe.arrived_bytes += chunk.bytes.size();
      arrived += chunk.bytes.size();
      pipe.arrived.push_back(std::move(chunk));
    }
    pipe.flight.pop_front();
  }
  world_.trace().mix(c->id << 32 | static_cast<uint64_t>(side) << 31 | arrived);
  wake(receiver.reader);
  if (!pipe.flight.empty()) schedule(c, side, pipe.flight.front().arrives - world_.now());
}

void SimNet::give_credit(const std::shared_ptr<Connection>& c, int reader_side) {
  auto& pipe = c->pipe[1 - reader_side];
  if (pipe.credit_scheduled || !c->side[1 - reader_side].writer) return;
  pipe.credit_scheduled = true;
  const auto &from = *c->side[reader_side].host, &to = *c->side[1 - reader_side].host;
  world_.after(conditions_.delay(from, to), [this, c, reader_side, &from, &to] {
    auto& filled = c->pipe[1 - reader_side];
    filled.credit_scheduled = false;
    Duration until{};
    if (c->pipe[reader_side].black_hole) return;
    if (conditions_.blocked(from, to, until)) {  // the acknowledgement is lost; another one follows
      filled.credit_scheduled = true;
      world_.after(kRetryFirst, [this, c, reader_side] {
        c->pipe[1 - reader_side].credit_scheduled = false;
        give_credit(c, reader_side);
      });
      return;
    }
    wake(c->side[1 - reader_side].writer);
  });
}

void SimNet::send_reset(const std::shared_ptr<Connection>& c, int side) {
  const auto &from = *c->side[side].host, &to = *c->side[1 - side].host;
  world_.after(conditions_.delay(from, to), [this, c, side, &from, &to] {
    Duration until{};
    if (c->pipe[side].black_hole || !to.up || conditions_.blocked(from, to, until))
      return;  // lost: the peer learns by itself
    arrive_reset(*c, 1 - side);
  });
}

void SimNet::arrive_reset(Connection& c, int side) {
  auto& at = c.side[side];
  if (!at.open || at.error.code != ErrorCode::kNone) return;
  ++stats_.resets;
  world_.trace().mix(c.id ^ 0xDEAD);
  at.error = Error(ErrorCode::kConnectionReset, "reset by " + at.peer.to_string());
  auto& in = c.pipe[1 - side];
  in.arrived.clear();
  in.arrived_bytes = 0;
  auto& out = c.pipe[side];
  out.flight.clear();
  out.flight_bytes = 0;
  wake(at.reader);
  wake(at.writer);
}

void SimNet::close_side(const std::shared_ptr<Connection>& c, int side, ErrorCode pending) {
  auto& at = c->side[side];
  if (!at.open) return;
  at.open = false;
  const bool was_reset = at.error.code != ErrorCode::kNone;
  if (!was_reset) at.error = Error(pending);
  auto& in = c->pipe[1 - side];
  const bool unread = in.arrived_bytes > 0;
  in.arrived.clear();
  in.arrived_bytes = 0;
  wake(at.reader);
  wake(at.writer);
  if (was_reset) return;
  if (unread || pending == ErrorCode::kTimedOut) {  // as Linux: what was not read makes it a reset
    c->pipe[side].flight.clear();
    c->pipe[side].flight_bytes = 0;
    send_reset(c, side);
  } else {
    send_end(c, side);
  }
}

// The host lost power: what had left it may still arrive, the rest never will, and nobody says so.
void SimNet::vanish_side(Connection& c, int side) {
  auto& at = c.side[side];
  at.open = false;
  auto& out = c.pipe[side];
  while (!out.flight.empty() && (out.flight.back().end || random_.chance(0.5))) {
    out.flight_bytes -= out.flight.back().bytes.size();
    out.flight.pop_back();
  }
}

void SimNet::process_gone(SimEnv& env, bool silent) {
  for (auto it = listeners_.begin(); it != listeners_.end();) {
    auto listener = it->second;
    ++it;  // close_listener removes it
    if (listener->env == &env) close_listener(*listener);
  }
  for (auto it = connections_.begin(); it != connections_.end();) {
    auto c = it->second.lock();
    if (!c) {
      it = connections_.erase(it);
      continue;
    }
    ++it;
    for (int side = 0; side < 2; ++side) {
      if (c->side[side].env != &env || !c->side[side].open) continue;
      if (silent)
        vanish_side(*c, side);
      else
        close_side(c, side, ErrorCode::kClosed);
    }
  }
}

// --- connecting

void SimNet::close_listener(ListenState& listener) {
  if (!listener.open) return;
  listener.open = false;
  auto backlog = std::move(listener.backlog);
  for (auto& c : backlog) close_side(c, 1, ErrorCode::kClosed);
  wake(listener.acceptor);
  auto it = std::find_if(listeners_.begin(), listeners_.end(), [&](auto& l) { return l.second.get() == &listener; });
  if (it != listeners_.end()) listeners_.erase(it);
}

void SimNet::arrive_connect(const std::shared_ptr<Attempt>& attempt) {
  if (attempt->wait.done()) return;  // timed out, or its process died
  Duration until{};
  const SimHost &from = *attempt->from, &to = *attempt->to;
  if (!to.up || conditions_.blocked(from, to, until)) {
    if (world_.now() >= attempt->give_up) {
      attempt->error = Error(ErrorCode::kUnavailable, attempt->endpoint.to_string() + " does not answer");
      return attempt->wait.complete(ok());
    }
    const Duration retry = std::exchange(attempt->retry, attempt->retry * 2);
    world_.after(until > world_.now() ? until - world_.now() : retry, [this, attempt] { arrive_connect(attempt); });
    return;
  }
  auto it = listeners_.find({to.index, attempt->endpoint.port});
  if (it == listeners_.end() || it->second->backlog.size() >= kBacklog) {
    attempt->error = Error(ErrorCode::kUnavailable, attempt->endpoint.to_string() + " refused the connection");
  } else {
    auto c = std::make_shared<Connection>();
    c->id = ++last_connection_;
    ++stats_.connections;
    if (connections_.size() > 64 && c->id % 64 == 0)
      std::erase_if(connections_, [](auto& known) { return known.second.expired(); });
    connections_[c->id] = c;
    auto& listener = *it->second;
    uint16_t port = ++attempt->from->last_port;
    if (port < 32768) port = attempt->from->last_port = 32768;
    c->side[0].env = attempt->env;
    c->side[0].host = attempt->from;
    c->side[0].local = {attempt->from->name, port};
    c->side[0].peer = attempt->endpoint;
    c->side[1].env = listener.env;
    c->side[1].host = attempt->to;
    c->side[1].local = listener.local;
    c->side[1].peer = c->side[0].local;
    for (int side = 0; side < 2; ++side) {
      ReadStyle style = read_style_;
      if (style == ReadStyle::kSeeded) {
        const auto draw = random_.below(100);
        style = draw < 70 ? ReadStyle::kWhole : draw < 98 ? ReadStyle::kRandom : ReadStyle::kBytes;
      }
      c->side[side].style = style;
      c->pipe[side].window = draw_window();
    }
    attempt->connection = c;
    listener.backlog.push_back(std::move(c));
    wake(listener.acceptor);
  }
  world_.after(conditions_.delay(to, from), [this, attempt] { finish_connect(attempt); });
}

void SimNet::finish_connect(const std::shared_ptr<Attempt>& attempt) {
  if (attempt->wait.done()) {
    if (attempt->connection) close_side(attempt->connection, 0, ErrorCode::kClosed);
    return;
  }
  Duration until{};
  if (!attempt->to->up ||
      conditions_.blocked(*attempt->to, *attempt->from, until)) {  // the answer is lost, and sent again
    if (world_.now() >= attempt->give_up) {
      attempt->error = Error(ErrorCode::kUnavailable, attempt->endpoint.to_string() + " does not answer");
      attempt->wait.complete(ok());
      if (attempt->connection) close_side(attempt->connection, 0, ErrorCode::kClosed);
      return;
    }
    const Duration retry = std::exchange(attempt->retry, attempt->retry * 2);
    world_.after(until > world_.now() ? until - world_.now() : retry, [this, attempt] { finish_connect(attempt); });
    return;
  }
  attempt->wait.complete(ok());
}

// --- faults on connections

std::vector<std::shared_ptr<Connection>> SimNet::living(std::string_view name) {
  std::vector<std::shared_ptr<Connection>> found;
  for (auto& [id, weak] : connections_) {
    auto c = weak.lock();
    if (!c || !c->side[0].open || !c->side[1].open) continue;
    if (c->side[0].error.code != ErrorCode::kNone || c->side[1].error.code != ErrorCode::kNone) continue;
    if (name.empty() || c->side[0].host->name == name || c->side[1].host->name == name) found.push_back(std::move(c));
  }
  return found;
}

size_t SimNet::open_connections(std::string_view name) const { return const_cast<SimNet*>(this)->living(name).size(); }

bool SimNet::reset_one(std::string_view name) {
  auto all = living(name);
  if (all.empty()) return false;
  auto& c = all[random_.below(all.size())];
  trace("reset connection " + std::to_string(c->id) + " to " + c->side[0].peer.to_string());
  arrive_reset(*c, 0);
  arrive_reset(*c, 1);
  return true;
}

bool SimNet::black_hole_one(std::string_view name, bool both_directions) {
  auto all = living(name);
  if (all.empty()) return false;
  auto& c = all[random_.below(all.size())];
  trace("black hole on connection " + std::to_string(c->id) + " to " + c->side[0].peer.to_string());
  const size_t first = random_.below(2);
  c->pipe[first].black_hole = true;
  if (both_directions) c->pipe[1 - first].black_hole = true;
  return true;
}

}  // namespace farshore::sim
