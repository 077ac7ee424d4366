// Proxy: accepts connections, makes one to the target for each, and passes bytes both ways through the weather.
// One thread, epoll, edge-triggered; nothing blocks. It is a program of the tests: it uses the system directly, so that
// it can end a connection in ways that no Stream offers (a reset, a far end that went away without a word).
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
  // One command, now. kQuit is the caller's to obey.
  Result<Event> command(std::string_view words);
  // The command when run() has been going on for `after`.
  void later(Duration after, std::string words);
  // Obeys lines from `commands` (-1: none) and answers each on `answers`, until `quit`; also until the end of
  // `commands` if `until_end`.
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

  Weather weather_;
  Random random_;
  Lane lanes_[2];
  Endpoint local_, target_;
  int epoll_ = -1, listener_ = -1;
  bool acceptable_ = false, commanded_ = false;
  uint64_t accepted_ = 0;
  std::list<Connection> connections_;
  std::vector<Scheduled> timeline_;
  std::string unread_;  // of `commands`, up to a line's end
};

}  // namespace farshore::net_proxy
