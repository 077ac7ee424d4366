// Delays, partitions, cuts, resets and dead peers of the simulated network, as its users see them.
#include "base/sim/net.h"

#include <gtest/gtest.h>

#include "base/contract/stream_contract.h"
#include "base/sim/world.h"

namespace farshore::sim {
namespace {

using contract::pattern;
using contract::writable;

// Two processes on two hosts, one connection between them; `west` connects to `east`.
class SimNetTest : public testing::TestWithParam<uint64_t> {
 protected:
  SimNetTest() : world_({.seed = GetParam(), .buggify = false}) {
    east_ = &world_.start_process("east-1", "server");
    west_ = &world_.start_process("west-1", "client");
    world_.spawn(*east_, listen());
    EXPECT_EQ(world_.run_until([&] { return listener_ != nullptr; }, seconds(1)), RunEnd::kDone);
    EXPECT_TRUE(world_.run(*west_, connect(), seconds(20)));
    EXPECT_EQ(world_.run_until([&] { return server_ != nullptr; }, seconds(5)), RunEnd::kDone);
  }
  ~SimNetTest() override {
    if (HasFailure()) world_.print(stderr);
  }
  Task<void> listen() {
    Endpoint at{"0.0.0.0", 9092};
    auto listener = co_await east_->network().listen(std::move(at));
    CO_ASSERT_OK(listener);
    listener_ = std::move(*listener);
    for (;;) {
      auto stream = co_await listener_->accept();
      if (!stream) co_return;
      server_ = std::move(*stream);
    }
  }
  Task<void> connect() {
    Endpoint to{"east-1", 9092};
    auto stream = co_await west_->network().connect(std::move(to), west_->in(seconds(10)));
    CO_ASSERT_OK(stream);
    client_ = std::move(*stream);
  }
  static Task<void> write(Env& env, Stream& stream, std::string text, Duration limit, ErrorCode& code) {
    const std::array<ConstBytes, 1> pieces{as_bytes(text)};
    auto wrote = co_await stream.write(pieces, env.in(limit));
    code = wrote ? ErrorCode::kNone : wrote.error().code;
  }
  static Task<void> read(Env& env, Stream& stream, size_t size, Duration limit, std::string& into, ErrorCode& code) {
    into.assign(size, 0);
    auto got = co_await read_exact(stream, writable(into), env.in(limit));
    code = got ? ErrorCode::kNone : got.error().code;
  }
  ErrorCode write_from_west(std::string text, Duration limit = seconds(5)) {
    ErrorCode code = ErrorCode::kInternal;
    EXPECT_TRUE(world_.run(*west_, write(*west_, *client_, std::move(text), limit, code), hours(1)));
    return code;
  }
  ErrorCode read_at_east(size_t size, Duration limit = seconds(5)) {
    ErrorCode code = ErrorCode::kInternal;
    EXPECT_TRUE(world_.run(*east_, read(*east_, *server_, size, limit, text_, code), hours(1)));
    return code;
  }
  ErrorCode read_at_west(size_t size, Duration limit = seconds(5)) {
    ErrorCode code = ErrorCode::kInternal;
    EXPECT_TRUE(world_.run(*west_, read(*west_, *client_, size, limit, text_, code), hours(1)));
    return code;
  }

  SimWorld world_;
  SimEnv *east_ = nullptr, *west_ = nullptr;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Stream> server_, client_;
  std::string text_;
};

TEST_P(SimNetTest, TransferTakesTheLinksDelayAndBandwidth) {
  LinkProfile slow;
  slow.delay_min = slow.delay_max = milliseconds(100);
  slow.bytes_per_second = 1e6;
  world_.net().set_profile("west-1", "east-1", slow);
  const Duration begin = world_.now();
  EXPECT_EQ(write_from_west(std::string(100'000, 'x')), ErrorCode::kNone);
  EXPECT_EQ(read_at_east(100'000), ErrorCode::kNone);
  EXPECT_GE(world_.now() - begin, milliseconds(200));
  EXPECT_LT(world_.now() - begin, milliseconds(700));
}

TEST_P(SimNetTest, PartitionDelaysWrittenBytesButKeepsThem) {
  world_.net().partition("east-1", "west-1");
  const std::string sent = pattern(10'000);
  EXPECT_EQ(write_from_west(sent), ErrorCode::kNone) << "the kernel takes it";
  world_.run_for(seconds(20));
  world_.net().heal();
  EXPECT_EQ(read_at_east(10'000, seconds(10)), ErrorCode::kNone);
  EXPECT_TRUE(text_ == sent);
}

TEST_P(SimNetTest, ReadThroughAPartitionTimesOut) {
  world_.net().cut("west-1", "east-1");  // one way is enough
  EXPECT_EQ(write_from_west("hello"), ErrorCode::kNone);
  EXPECT_EQ(read_at_east(5, seconds(3)), ErrorCode::kTimedOut);
  world_.net().heal();
  EXPECT_NE(read_at_east(5, seconds(3)), ErrorCode::kNone) << "a timed-out stream is dead";
}

TEST_P(SimNetTest, OneWayCutLetsTheOtherWayPass) {
  world_.net().cut("west-1", "east-1");
  ErrorCode code = ErrorCode::kInternal;
  EXPECT_TRUE(world_.run(*east_, write(*east_, *server_, "down", seconds(5), code), seconds(10)));
  EXPECT_EQ(code, ErrorCode::kNone);
  EXPECT_EQ(read_at_west(4), ErrorCode::kNone);
  EXPECT_EQ(text_, "down");
}

TEST_P(SimNetTest, BlackHoleSwallowsOneConnectionOnly) {
  ASSERT_TRUE(world_.net().black_hole_one("east-1"));
  EXPECT_EQ(write_from_west("lost"), ErrorCode::kNone);
  EXPECT_EQ(read_at_east(4, seconds(60)), ErrorCode::kTimedOut);
  world_.net().heal();
  EXPECT_EQ(read_at_west(1, seconds(60)), ErrorCode::kTimedOut) << "not even the other end's close arrives";
  auto old = std::move(client_);
  auto old_server = std::move(server_);
  EXPECT_TRUE(world_.run(*west_, connect(), seconds(20)));
  EXPECT_EQ(world_.run_until([&] { return server_ != nullptr; }, seconds(5)), RunEnd::kDone);
  EXPECT_EQ(write_from_west("through"), ErrorCode::kNone);
  EXPECT_EQ(read_at_east(7), ErrorCode::kNone);
}

TEST_P(SimNetTest, ResetEndsBothEnds) {
  ASSERT_TRUE(world_.net().reset_one());
  EXPECT_EQ(read_at_east(1), ErrorCode::kConnectionReset);
  EXPECT_EQ(write_from_west("x"), ErrorCode::kConnectionReset);
  EXPECT_FALSE(world_.net().reset_one()) << "no living connection is left";
}

TEST_P(SimNetTest, KilledPeerResetsTheConnectionAndFreesItsPort) {
  EXPECT_EQ(write_from_west("unread"), ErrorCode::kNone);
  world_.run_for(milliseconds(100));
  world_.kill(*east_);
  EXPECT_EQ(read_at_west(1, seconds(5)), ErrorCode::kConnectionReset);
  east_ = &world_.start_process("east-1", "server");
  server_.reset();
  listener_.reset();
  world_.spawn(*east_, listen());
  EXPECT_EQ(world_.run_until([&] { return listener_ != nullptr; }, seconds(1)), RunEnd::kDone);
}

TEST_P(SimNetTest, BytesWrittenByAKilledPeerStillArrive) {
  EXPECT_EQ(write_from_west("last words"), ErrorCode::kNone);
  world_.kill(*west_);
  EXPECT_EQ(read_at_east(10), ErrorCode::kNone);
  EXPECT_EQ(text_, "last words");
  EXPECT_EQ(read_at_east(1), ErrorCode::kConnectionReset);
}

TEST_P(SimNetTest, PowerLossIsSilentUntilTheHostIsBack) {
  world_.power_off("east-1");
  EXPECT_EQ(write_from_west("anybody?"), ErrorCode::kNone);
  world_.run_for(minutes(2));
  world_.power_on("east-1");
  EXPECT_EQ(read_at_west(1, seconds(20)), ErrorCode::kConnectionReset) << "its new kernel knows no such connection";
}

TEST_P(SimNetTest, ConnectDistinguishesRefusalSilenceAndUnknownHosts) {
  struct Dial {
    static Task<void> run(SimEnv& env, Endpoint to, Duration limit, ErrorCode& code) {
      auto stream = co_await env.network().connect(std::move(to), env.in(limit));
      code = stream ? ErrorCode::kNone : stream.error().code;
    }
  };
  auto dial = [&](std::string host, uint16_t port, Duration limit) {
    ErrorCode code = ErrorCode::kInternal;
    EXPECT_TRUE(world_.run(*west_, Dial::run(*west_, Endpoint{std::move(host), port}, limit, code), hours(1)));
    return code;
  };
  EXPECT_EQ(dial("east-1", 1, seconds(5)), ErrorCode::kUnavailable);
  EXPECT_EQ(dial("nowhere-1", 9092, seconds(5)), ErrorCode::kUnavailable);
  world_.net().isolate("east-1");
  EXPECT_EQ(dial("east-1", 9092, seconds(5)), ErrorCode::kTimedOut);
  EXPECT_EQ(dial("east-1", 9092, minutes(10)), ErrorCode::kUnavailable);
  world_.net().heal();
  EXPECT_EQ(dial("east-1", 9092, seconds(5)), ErrorCode::kNone);
}

TEST_P(SimNetTest, EveryReadStyleDeliversTheSameBytes) {
  for (ReadStyle style : {ReadStyle::kWhole, ReadStyle::kRandom, ReadStyle::kBytes}) {
    world_.net().set_read_style(style);
    auto old = std::move(client_);
    auto old_server = std::move(server_);
    EXPECT_TRUE(world_.run(*west_, connect(), seconds(20)));
    EXPECT_EQ(world_.run_until([&] { return server_ != nullptr; }, seconds(5)), RunEnd::kDone);
    const std::string sent = pattern(20'000, static_cast<uint64_t>(style));
    EXPECT_EQ(write_from_west(sent), ErrorCode::kNone);
    EXPECT_EQ(read_at_east(sent.size()), ErrorCode::kNone);
    EXPECT_TRUE(text_ == sent);
  }
}

TEST_P(SimNetTest, SwizzleEndsByItself) {
  world_.net().swizzle({"east-1", "west-1"}, seconds(5));
  world_.run_for(seconds(5) + milliseconds(1));
  EXPECT_FALSE(world_.host("east-1").isolated);
  EXPECT_FALSE(world_.host("west-1").isolated);
  EXPECT_EQ(write_from_west("x"), ErrorCode::kNone);
  EXPECT_EQ(read_at_east(1, seconds(10)), ErrorCode::kNone);
}

TEST_P(SimNetTest, ClogReleasesAllBytesAtOnce) {
  world_.net().clog("west-1", "east-1", seconds(3));
  const Duration begin = world_.now();
  EXPECT_EQ(write_from_west("x"), ErrorCode::kNone);
  EXPECT_EQ(read_at_east(1, seconds(10)), ErrorCode::kNone);
  EXPECT_GE(world_.now() - begin, seconds(3));
  EXPECT_LT(world_.now() - begin, seconds(4));
}

INSTANTIATE_TEST_SUITE_P(Seeds, SimNetTest, testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace farshore::sim
