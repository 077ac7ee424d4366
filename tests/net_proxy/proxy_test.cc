// A proxy in a thread of its own, commanded through a pipe like the program, between plain blocking sockets.
#include "tests/net_proxy/proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace farshore::net_proxy {
namespace {

constexpr int kPatienceMs = 30'000;  // for what must happen
constexpr int kQuietMs = 200;        // for what must not

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Socket() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int fd() const { return fd_; }
  bool readable(int limit_ms) {
    pollfd one{fd_, POLLIN, 0};
    return ::poll(&one, 1, limit_ms) == 1;
  }
  void send(std::string_view text) {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Exactly `size` bytes; fewer only if the connection ended or nothing came.
  std::string read(size_t size) {
    std::string text(size, '\0');
    size_t have = 0;
    while (have < size && readable(kPatienceMs)) {
      ssize_t n = ::recv(fd_, text.data() + have, size - have, 0);
      if (n <= 0) break;
      have += static_cast<size_t>(n);
    }
    text.resize(have);
    return text;
  }
  size_t read_once(size_t size) {
    std::string text(size, '\0');
    return readable(kPatienceMs) ? static_cast<size_t>(std::max<ssize_t>(::recv(fd_, text.data(), size, 0), 0)) : 0;
  }
  // How the connection ended: "end", "reset", "open" (within kQuietMs), or "bytes".
  std::string ending(int limit_ms = kPatienceMs) {
    if (!readable(limit_ms)) return "open";
    char byte;
    ssize_t n = ::recv(fd_, &byte, 1, 0);
    if (n == 0) return "end";
    return n > 0 ? "bytes" : errno == ECONNRESET ? "reset" : strerror(errno);
  }

 private:
  int fd_;
};

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

class ProxyTest : public testing::Test {
 protected:
  void SetUp() override {
    auto at = loopback(0);
    socklen_t length = sizeof at;
    ASSERT_EQ(::bind(server_.fd(), reinterpret_cast<sockaddr*>(&at), length), 0);
    ASSERT_EQ(::listen(server_.fd(), 16), 0);
    ASSERT_EQ(::getsockname(server_.fd(), reinterpret_cast<sockaddr*>(&at), &length), 0);
    ASSERT_EQ(::pipe(commands_), 0);
    ASSERT_EQ(::pipe(answers_), 0);
    ASSERT_TRUE(proxy_.open({"127.0.0.1", 0}, {"127.0.0.1", ntohs(at.sin_port)}));
    thread_ = std::thread([this] { proxy_.run(commands_[0], answers_[1], true); });
  }
  void TearDown() override {
    ::close(commands_[1]);
    thread_.join();
    for (int fd : {commands_[0], answers_[0], answers_[1]}) ::close(fd);
  }
  std::string tell(std::string_view command) {
    std::string line = std::string(command) + "\n";
    EXPECT_EQ(::write(commands_[1], line.data(), line.size()), static_cast<ssize_t>(line.size()));
    std::string answer;
    for (char c; ::read(answers_[0], &c, 1) == 1 && c != '\n';) answer += c;
    return answer;
  }
  void set(std::string_view command) { EXPECT_EQ(tell(command), "ok: " + std::string(command)); }
  Socket dial() {
    Socket socket(::socket(AF_INET, SOCK_STREAM, 0));
    auto at = loopback(proxy_.local().port);
    EXPECT_EQ(::connect(socket.fd(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    return socket;
  }
  Socket accepted() {
    EXPECT_TRUE(server_.readable(kPatienceMs));
    return Socket(::accept(server_.fd(), nullptr, nullptr));
  }

  Socket server_{::socket(AF_INET, SOCK_STREAM, 0)};
  Proxy proxy_{7};
  int commands_[2] = {-1, -1}, answers_[2] = {-1, -1};
  std::thread thread_;
};

TEST_F(ProxyTest, BytesPassBothWaysUnchangedAndAreCounted) {
  Socket near = dial(), far = accepted();
  std::string large(3 << 20, '\0');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 2654435761u >> 24);
  std::thread sender([&] { near.send(large); });
  EXPECT_TRUE(far.read(large.size()) == large);
  sender.join();
  far.send("answer");
  EXPECT_EQ(near.read(6), "answer");
  EXPECT_EQ(tell("stats"), "stats: connections 1 accepted 1 forward_bytes " + std::to_string(large.size()) +
                               " back_bytes 6 swallowed_bytes 0");
}

TEST_F(ProxyTest, EndOfOneDirectionArrivesAfterItsBytesAndKeepsTheOther) {
  Socket near = dial(), far = accepted();
  near.send("all");
  ::shutdown(near.fd(), SHUT_WR);
  EXPECT_EQ(far.read(4), "all");
  EXPECT_EQ(far.ending(), "end");
  far.send("answer");
  far.close();
  EXPECT_EQ(near.read(6), "answer");
  EXPECT_EQ(near.ending(), "end");
}

TEST_F(ProxyTest, AnswerTakesAtLeastTheRoundTrip) {
  set("rtt 100ms");
  set("jitter 20ms");
  Socket near = dial(), far = accepted();
  auto begin = std::chrono::steady_clock::now();
  near.send("?");
  EXPECT_EQ(far.read(1), "?");
  far.send("!");
  EXPECT_EQ(near.read(1), "!");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(100));  // never earlier, on any machine
}

TEST_F(ProxyTest, JitterNeverReordersBytes) {
  set("jitter 3ms");
  Socket near = dial(), far = accepted();
  std::string sent;
  for (int i = 0; i < 300; ++i) {
    near.send(std::to_string(i) + ",");
    sent += std::to_string(i) + ",";
  }
  EXPECT_EQ(far.read(sent.size()), sent);
}

TEST_F(ProxyTest, BandwidthBoundsTheBytesThatCanHaveArrived) {
  set("bandwidth 1MB");
  Socket near = dial(), far = accepted();
  auto begin = std::chrono::steady_clock::now();
  near.send(std::string(200'000, 'x'));
  EXPECT_EQ(far.read(200'000).size(), 200'000u);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(190));
}

TEST_F(ProxyTest, ChunksOfOneByteLoseNothing) {
  set("chunk 1");
  set("rtt 2ms");
  Socket near = dial(), far = accepted();
  near.send("abcdefgh");
  EXPECT_EQ(far.read(8), "abcdefgh");
}

// A socket that keeps what was sent apart shows each send.
TEST(DelayLine, ChunksHaveTheConfiguredSize) {
  int in[2], out[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, in), 0);
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, out), 0);
  Socket sender(in[0]), from(in[1]), to(out[0]), receiver(out[1]);
  NetworkConditions conditions;
  conditions.chunk_bytes = 3;
  Lane lane;
  Random random(1);
  DelayLine line(conditions, kForward, lane, random);
  sender.send("abcdefgh");
  EXPECT_TRUE(line.run(from.fd(), to.fd(), MonoTime()));
  for (size_t size : {3, 3, 2}) EXPECT_EQ(receiver.read_once(100), size);
  EXPECT_EQ(receiver.ending(kQuietMs), "open");
}

TEST_F(ProxyTest, BlackHoleKeepsSocketsOpenAndHealDeliversHeldBytes) {
  Socket near = dial(), far = accepted();
  set("blackhole");
  near.send("late");
  EXPECT_EQ(far.ending(kQuietMs), "open");
  EXPECT_EQ(near.ending(kQuietMs), "open");
  set("heal");
  EXPECT_EQ(far.read(4), "late");
}

TEST_F(ProxyTest, BlackHoleOfOneDirectionKeepsTheOther) {
  Socket near = dial(), far = accepted();
  set("blackhole back");
  near.send("request");
  EXPECT_EQ(far.read(7), "request");
  far.send("answer");
  EXPECT_EQ(near.ending(kQuietMs), "open");
}

TEST_F(ProxyTest, SwallowedAnswersNeverArriveAndHealEndsTheConnection) {
  Socket near = dial(), far = accepted();
  set("swallow back");
  near.send("request");
  EXPECT_EQ(far.read(7), "request");
  far.send("answer");
  EXPECT_EQ(near.ending(kQuietMs), "open");
  EXPECT_NE(tell("stats").find("swallowed_bytes 6"), std::string::npos);
  set("heal");
  EXPECT_EQ(near.ending(), "reset");
}

TEST_F(ProxyTest, ResetEndsBothSidesAndAllowsNewConnections) {
  Socket near = dial(), far = accepted();
  set("reset");
  EXPECT_EQ(near.ending(), "reset");
  EXPECT_EQ(far.ending(), "reset");
  Socket again = dial(), far_again = accepted();
  again.send("x");
  EXPECT_EQ(far_again.read(1), "x");
}

TEST_F(ProxyTest, CutEndsConnectionsAndResetsNewOnesUntilHeal) {
  Socket near = dial(), far = accepted();
  set("cut");
  EXPECT_EQ(near.ending(), "end");
  EXPECT_EQ(far.ending(), "end");
  EXPECT_EQ(dial().ending(), "reset");
  set("heal");
  Socket again = dial(), far_again = accepted();
  again.send("x");
  EXPECT_EQ(far_again.read(1), "x");
}

TEST_F(ProxyTest, HalfOpenConnectionIsSilentUntilHeal) {
  Socket near = dial(), far = accepted();
  set("halfopen");
  EXPECT_EQ(far.ending(), "reset");
  near.send("anybody?");
  EXPECT_EQ(near.ending(kQuietMs), "open");
  set("heal");
  EXPECT_EQ(near.ending(), "reset");
}

TEST_F(ProxyTest, RefusingTargetResetsTheClientsConnection) {
  server_.close();
  EXPECT_EQ(dial().ending(), "reset");
}

TEST_F(ProxyTest, UnknownCommandIsAnsweredWithThePossibleOnes) {
  EXPECT_NE(tell("rain").find("wanted rtt T"), std::string::npos);
  EXPECT_NE(tell("rtt 5").find("a number of us, ms or s"), std::string::npos);
  EXPECT_NE(tell("swallow up").find("forward, back"), std::string::npos);
  EXPECT_NE(tell("bandwidth 99999999999999MB").find("wanted a number of B"), std::string::npos);
}

TEST(Timeline, CommandsAreAppliedAtTheirTime) {
  Proxy proxy(1);
  ASSERT_TRUE(proxy.open({"127.0.0.1", 0}, {"127.0.0.1", 1}));
  int answers[2];
  ASSERT_EQ(::pipe(answers), 0);
  proxy.later(milliseconds(20), "quit");
  proxy.later(milliseconds(1), "rtt 4ms");
  proxy.run(-1, answers[1], false);
  ::close(answers[1]);
  char text[256] = {};
  ssize_t size = ::read(answers[0], text, sizeof text);
  EXPECT_EQ(std::string(text, static_cast<size_t>(std::max<ssize_t>(size, 0))), "ok: rtt 4ms\nok: quit\n");
  ::close(answers[0]);
}

}  // namespace
}  // namespace farshore::net_proxy
