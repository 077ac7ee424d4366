// Proxy: accepts connections, opens one to the target for each, and passes the bytes of both directions on under the
// network conditions that are set. One thread, epoll (edge-triggered); no call blocks. It uses system calls and not an
// Env, because it must end connections in ways that no Stream offers (a reset, a peer that disappears silently).
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/net.h"
#include "tests/net_proxy/delay_line.h"

namespace farshore::net_proxy {

struct ProxyStats {
  size_t connections = 0;  // open now
  uint64_t accepted = 0, forward_bytes = 0, back_bytes = 0, swallowed_bytes = 0;
};

class Proxy {
 public:
  explicit Proxy(uint64_t seed);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // Numeric IPv4 addresses. Port 0 at `listen`: any free one, see local().
  Status open(const Endpoint& listen, const Endpoint& target);
  Endpoint local() const { return local_; }
  // Executes one command now. On kQuit the caller ends run().
  Result<Event> command(std::string_view words);
  // Executes the command when run() has been running for `after`.
  void later(Duration after, std::string words);
  // Executes the lines from `commands` (-1: none) and answers each on `answers`, until `quit`. If `until_end`, it also
  // ends at the end of `commands`.
  void run(int commands, int answers, bool until_end);

  ProxyStats stats() const;

 private:
  struct Connection;
  struct Scheduled {
    MonoTime at;
    std::string words;
  };
  static MonoTime now();
  void accept_all();
  void begin(int near);
  bool serve(MonoTime at);  // true: something moved
  void finish(Connection& connection, bool by_reset);
  void finish_all(bool by_reset);
  void half_open();
  void heal();
  MonoTime next_time() const;
  void wait(MonoTime until);
  bool obey(int commands, int answers, bool until_end);  // false: quit
  bool obey_timeline(int answers);

  NetworkConditions conditions_;
  Random random_;
  Lane lanes_[2];
  Endpoint local_, target_;
  int epoll_ = -1, listener_ = -1;
  bool acceptable_ = false, commanded_ = false;
  uint64_t accepted_ = 0;
  std::list<Connection> connections_;
  std::vector<Scheduled> timeline_;
  std::string unread_;  // from `commands`: an incomplete line
};

}  // namespace farshore::net_proxy
