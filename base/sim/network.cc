// Network, Listener and Stream of one simulated process, on SimNet's connections.
#include <algorithm>

#include "base/file.h"
#include "base/sim/connection.h"
#include "base/sim/net.h"
#include "base/sim/world.h"

namespace farshore::sim {

class SimStream final : public Stream {
 public:
  SimStream(SimEnv& env, std::shared_ptr<Connection> c, int side) : env_(env), c_(std::move(c)), side_(side) {}
  ~SimStream() override { close(); }

  Task<Result<size_t>> read_some(MutableBytes into, size_t bytes_min, Deadline deadline) override {
    return read(env_, c_, side_, into, bytes_min, deadline);
  }
  Task<Status> write(ConstBytesList pieces, Deadline deadline) override {
    return write_all(env_, c_, side_, pieces, deadline);
  }
  Task<Status> write_file(File& file, uint64_t position, uint64_t length, Deadline deadline) override {
    return write_from(env_, c_, side_, file, position, length, deadline);
  }
  void close() override {
    if (!env_.dead()) env_.world().net().close_side(c_, side_, ErrorCode::kClosed);
  }
  Endpoint peer() const override { return c_->side[side_].peer; }

 private:
  // Static, with their own share of the connection: the stream may be destroyed while they are suspended.
  static Task<Result<size_t>> read(SimEnv& env, std::shared_ptr<Connection> c, int side, MutableBytes into,
                                   size_t bytes_min, Deadline deadline) {
    if (env.dead()) co_return Error(ErrorCode::kClosed);
    auto& at = c->side[side];
    auto& pipe = c->pipe[1 - side];
    ensure(!at.reader, "two reads at once on one stream");
    if (into.empty()) co_return size_t{0};
    SimWorld& world = env.world();
    if (world.options().yields && world.net().random_.below(8) == 0) co_await env.yield();
    size_t wanted = 1;
    if (at.style == ReadStyle::kWhole)
      wanted = std::max<size_t>(1, std::min({bytes_min, into.size(), pipe.window / 2}));
    while (at.error.code == ErrorCode::kNone && pipe.arrived_bytes < wanted &&
           !(pipe.end_arrived && pipe.arrived.empty()) && !(pipe.end_arrived && pipe.arrived_bytes > 0)) {
      at.reader.emplace(env);
      auto waited = co_await at.reader->wait(deadline);
      at.reader.reset();
      if (waited) continue;
      Error failed(waited.error().code, "reading from " + at.peer.to_string());
      world.net().close_side(c, side, ErrorCode::kTimedOut);
      co_return failed;
    }
    if (at.error.code != ErrorCode::kNone) co_return at.error;
    if (pipe.arrived_bytes == 0) {
      at.error = Error(ErrorCode::kConnectionReset, at.peer.to_string() + " closed the connection");
      co_return at.error;
    }
    size_t limit = std::min(into.size(), pipe.arrived_bytes);
    if (at.style == ReadStyle::kRandom) limit = 1 + world.net().random_.below(limit);
    if (at.style == ReadStyle::kBytes) limit = std::min<size_t>(limit, 1 + world.net().random_.below(3));
    size_t done = 0;
    while (done < limit) {
      Chunk& chunk = pipe.arrived.front();
      const size_t n = std::min(limit - done, chunk.bytes.size() - chunk.taken);
      std::copy_n(chunk.bytes.begin() + static_cast<std::ptrdiff_t>(chunk.taken), n,
                  into.begin() + static_cast<std::ptrdiff_t>(done));
      chunk.taken += n;
      done += n;
      if (chunk.taken == chunk.bytes.size()) pipe.arrived.pop_front();
    }
    pipe.arrived_bytes -= done;
    world.net().give_credit(c, side);
    co_return done;
  }

  static Task<Status> write_all(SimEnv& env, std::shared_ptr<Connection> c, int side, ConstBytesList pieces,
                                Deadline deadline) {
    if (env.dead()) co_return Error(ErrorCode::kClosed);
    auto& at = c->side[side];
    auto& pipe = c->pipe[side];
    ensure(!at.writer, "two writes at once on one stream");
    SimNet& net = env.world().net();
    if (env.world().options().yields && net.random_.below(8) == 0) co_await env.yield();
    for (size_t i = 0; i < pieces.size(); ++i) {
      ConstBytes left = pieces[i];
      while (!left.empty()) {
        while (at.error.code == ErrorCode::kNone && pipe.room() == 0) {
          at.writer.emplace(env);
          auto waited = co_await at.writer->wait(deadline);
          at.writer.reset();
          if (waited) continue;
          Error failed(waited.error().code, "writing to " + at.peer.to_string());
          net.close_side(c, side, ErrorCode::kTimedOut);
          co_return failed;
        }
        if (at.error.code != ErrorCode::kNone) co_return at.error;
        const size_t n = std::min(left.size(), pipe.room());
        net.send(c, side, left.first(n));
        left = left.subspan(n);
      }
    }
    if (at.error.code != ErrorCode::kNone) co_return at.error;
    co_return ok();
  }

  static Task<Status> write_from(SimEnv& env, std::shared_ptr<Connection> c, int side, File& file, uint64_t position,
                                 uint64_t length, Deadline deadline) {
    std::vector<std::byte> buffer(std::min<uint64_t>(length, 256 << 10));
    while (length > 0) {
      const size_t wanted = std::min<uint64_t>(length, buffer.size());
      auto read = co_await file.read_at(position, MutableBytes(buffer).first(wanted));
      if (read && *read == 0) read = Error(ErrorCode::kOutOfRange, file.path() + " is shorter than what is to be sent");
      if (!read) {  // a part may be out already: the stream cannot go on
        if (!env.dead()) env.world().net().close_side(c, side, ErrorCode::kClosed);
        co_return std::move(read).error();
      }
      const ConstBytes piece = ConstBytes(buffer).first(*read);
      CO_CHECK(co_await write_all(env, c, side, ConstBytesList(&piece, 1), deadline));
      position += *read;
      length -= *read;
    }
    co_return ok();
  }

  SimEnv& env_;
  std::shared_ptr<Connection> c_;
  int side_;
};

class SimListener final : public Listener {
 public:
  SimListener(SimEnv& env, std::shared_ptr<SimNet::ListenState> state) : env_(env), state_(std::move(state)) {}
  ~SimListener() override { close(); }

  Task<Result<std::unique_ptr<Stream>>> accept() override { return run(env_, state_); }
  Endpoint local() const override { return state_->local; }
  void close() override {
    if (!env_.dead()) env_.world().net().close_listener(*state_);
  }

 private:
  static Task<Result<std::unique_ptr<Stream>>> run(SimEnv& env, std::shared_ptr<SimNet::ListenState> state) {
    ensure(!state->acceptor, "two accepts at once on one listener");
    if (env.buggify("sim.accept")) {
      co_await env.yield();
      co_return Error(ErrorCode::kResourceExhausted, "no file descriptors (simulated)");
    }
    while (state->open && state->backlog.empty() && !env.dead()) {
      state->acceptor.emplace(env);
      (void)co_await state->acceptor->wait(Deadline::never());
      state->acceptor.reset();
    }
    if (!state->open || env.dead()) co_return Error(ErrorCode::kClosed);
    auto c = std::move(state->backlog.front());
    state->backlog.pop_front();
    std::unique_ptr<Stream> stream = std::make_unique<SimStream>(env, std::move(c), 1);
    co_return stream;
  }
  SimEnv& env_;
  std::shared_ptr<SimNet::ListenState> state_;
};

class SimNetwork final : public Network {
 public:
  explicit SimNetwork(SimEnv& env) : env_(env) {}

  Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, Deadline deadline) override {
    if (env_.dead()) co_return Error(ErrorCode::kClosed);
    SimWorld& world = env_.world();
    SimNet& net = world.net();
    SimHost* target = mine(to.host) ? &env_.host() : world.find_host(to.host);
    if (!target) {
      co_await env_.delay(milliseconds(1));
      co_return Error(ErrorCode::kUnavailable, "unknown host " + to.host);
    }
    std::string where = to.to_string();
    auto attempt =
        std::make_shared<SimNet::Attempt>(SimNet::Attempt{&env_, &env_.host(), target, std::move(to), Wait<void>(env_),
                                                          nullptr, Error(), seconds(1), world.now() + seconds(127)});
    world.after(net.conditions_.delay(*attempt->from, *target), [&net, attempt] { net.arrive_connect(attempt); });
    auto waited = co_await attempt->wait.wait(deadline);
    if (!waited) co_return std::move(waited).error().in("connecting to " + where);
    if (attempt->error.code != ErrorCode::kNone) co_return attempt->error;
    std::unique_ptr<Stream> stream = std::make_unique<SimStream>(env_, std::move(attempt->connection), 0);
    co_return stream;
  }

  Task<Result<std::unique_ptr<Listener>>> listen(Endpoint at) override {
    if (env_.dead()) co_return Error(ErrorCode::kClosed);
    if (!mine(at.host))
      co_return Error(ErrorCode::kInvalidArgument, at.host + " is not this machine (" + env_.host().name + ")");
    SimNet& net = env_.world().net();
    const uint32_t host = env_.host().index;
    if (at.port == 0) {
      do {
        if (++env_.host().last_port < 32768) env_.host().last_port = 32768;
      } while (net.listeners_.count({host, env_.host().last_port}) != 0);
      at.port = env_.host().last_port;
    }
    if (net.listeners_.count({host, at.port}) != 0)
      co_return Error(ErrorCode::kAlreadyExists, "port " + std::to_string(at.port) + " is taken");
    auto state = std::make_shared<SimNet::ListenState>();
    state->env = &env_;
    state->local = at;
    net.listeners_[{host, at.port}] = state;
    std::unique_ptr<Listener> listener = std::make_unique<SimListener>(env_, std::move(state));
    co_return listener;
  }

 private:
  bool mine(const std::string& host) const {
    return host.empty() || host == env_.host().name || host == "localhost" || host == "127.0.0.1" || host == "0.0.0.0";
  }
  SimEnv& env_;
};

std::unique_ptr<Network> make_sim_network(SimEnv& env) { return std::make_unique<SimNetwork>(env); }

}  // namespace farshore::sim
