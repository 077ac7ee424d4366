// SimNet: byte streams between hosts, by the hosts' names. Each direction of a connection has a delay and a bandwidth
// of its link, and a window (send plus receive buffer) that writes fill and reads free. Nothing is lost inside a living
// connection: while a link is cut, bytes wait in the sender's kernel and are sent again after it heals, as TCP does.
// Faults: cut (one way), partition, isolate, clog, swizzle-clog, reset, black hole (one connection, for ever), reads
// split to a byte. Executor: the world; call faults from world events or between runs.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/net.h"
#include "base/random.h"
#include "base/sim/link_conditions.h"
#include "base/wait.h"

namespace farshore::sim {

class SimEnv;
class SimWorld;
struct SimHost;

enum class ReadStyle : uint8_t {
  kSeeded,  // drawn per connection: mostly whole, some random, a few byte by byte
  kWhole,   // all that is there
  kRandom,  // 1 byte up to all
  kBytes,   // 1 to 3 bytes
};

struct Connection;

class SimNet {
 public:
  explicit SimNet(SimWorld& world);
  ~SimNet();

  void set_profile(std::string_view from, std::string_view to, LinkProfile profile);
  void set_default_profile(LinkProfile profile) { conditions_.set_default_profile(profile); }
  void set_read_style(ReadStyle style) { read_style_ = style; }
  // Of new connections, in each direction: sent and not yet read. 0: drawn for each.
  void set_window(size_t bytes) { window_ = bytes; }

  void cut(std::string_view from, std::string_view to);  // one direction: nothing passes
  void partition(std::string_view a, std::string_view b);
  void isolate(std::string_view host);  // from and to everybody else
  // Nothing passes for `time`, then all at once.
  void clog(std::string_view from, std::string_view to, Duration time);
  // Isolates a random subset of `hosts` one by one and frees them in random order, all within `time`.
  void swizzle(std::vector<std::string> hosts, Duration time);
  void heal();  // ends cuts, partitions, isolation and clogs; not black holes

  // Faults on living connections, which are numbered in the order they were made. `host`: only those that touch it
  // (empty: any). False if there is none.
  bool reset_one(std::string_view host = {});
  // Nothing passes on one connection, in one direction or both, for ever; both ends think it lives.
  bool black_hole_one(std::string_view host = {}, bool both_directions = true);
  size_t open_connections(std::string_view host = {}) const;

  struct Stats {
    uint64_t connections = 0, bytes = 0, resets = 0, retransmissions = 0;
  };
  const Stats& stats() const { return stats_; }

  // By the world, when a process dies. Silent: its kernel is gone too.
  void process_gone(SimEnv& env, bool silent);

 private:
  friend class SimNetwork;
  friend class SimStream;
  friend class SimListener;
  struct ListenState {
    SimEnv* env;
    Endpoint local;
    bool open = true;
    std::deque<std::shared_ptr<Connection>> backlog;
    std::optional<Wait<void>> acceptor;
  };
  struct Attempt {  // one connect() under way
    SimEnv* env;
    SimHost *from, *to;
    Endpoint endpoint;
    Wait<void> wait;
    std::shared_ptr<Connection> connection;
    Error error;
    Duration retry{}, give_up{};
  };

  SimHost& need_host(std::string_view name);
  void trace(std::string text);

  void send(const std::shared_ptr<Connection>& c, int side, ConstBytes bytes);
  void send_end(const std::shared_ptr<Connection>& c, int side);    // in order, after what was sent
  void send_reset(const std::shared_ptr<Connection>& c, int side);  // overtakes; may be lost
  void schedule(const std::shared_ptr<Connection>& c, int side, Duration delay);
  void deliver(const std::shared_ptr<Connection>& c, int side);
  void give_credit(const std::shared_ptr<Connection>& c, int reader_side);
  void arrive_reset(Connection& c, int side);
  void close_side(const std::shared_ptr<Connection>& c, int side, ErrorCode pending);
  void vanish_side(Connection& c, int side);
  void close_listener(ListenState& listener);
  void arrive_connect(const std::shared_ptr<Attempt>& attempt);
  void finish_connect(const std::shared_ptr<Attempt>& attempt);
  std::vector<std::shared_ptr<Connection>> living(std::string_view host);
  size_t draw_window();

  SimWorld& world_;
  Random random_;
  LinkConditions conditions_;
  ReadStyle read_style_ = ReadStyle::kSeeded;
  size_t window_ = 0;
  std::map<std::pair<uint32_t, uint16_t>, std::shared_ptr<ListenState>> listeners_;
  std::map<uint64_t, std::weak_ptr<Connection>> connections_;
  uint64_t last_connection_ = 0;
  Stats stats_;
};

std::unique_ptr<Network> make_sim_network(SimEnv& env);

}  // namespace farshore::sim
