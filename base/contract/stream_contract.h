// Contract of Network, Listener and Stream (base/net.h): exact bytes, back-pressure, deadlines that kill the stream,
// close() that ends pending operations, and the error codes that callers react to.
#pragma once

#include <algorithm>
#include <array>

#include "base/contract/harness.h"
#include "base/file.h"

namespace farshore::contract {
namespace stream_cases {

struct Pair {
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Stream> client, server;
};

inline Task<void> accept_one(Listener& listener, Result<std::unique_ptr<Stream>>& into) {
  into = co_await listener.accept();
}

// A connected pair, or a test failure and empty pointers.
inline Task<void> open_pair(Env& env, std::string host, Pair& pair) {
  Endpoint any{host, 0};
  auto listener = co_await env.network().listen(std::move(any));
  CO_ASSERT_OK(listener);
  pair.listener = std::move(*listener);
  EXPECT_NE(pair.listener->local().port, 0) << "port 0 must become a real port";
  Gate gate(env);
  Result<std::unique_ptr<Stream>> accepted = Error(ErrorCode::kInternal, "not accepted");
  EXPECT_TRUE(spawn(gate, "accept", accept_one(*pair.listener, accepted)));
  Endpoint to{host, pair.listener->local().port};
  auto client = co_await env.network().connect(std::move(to), env.in(seconds(10)));
  if (!client) pair.listener->close();
  co_await gate.close();
  CO_ASSERT_OK(client);
  CO_ASSERT_OK(accepted);
  pair.client = std::move(*client);
  pair.server = std::move(*accepted);
}

inline Task<Status> write_text(Env& env, Stream& stream, std::string text) {
  const std::array<ConstBytes, 1> pieces{as_bytes(text)};
  co_return co_await stream.write(pieces, env.in(seconds(20)));
}

inline Task<void> write_pieces(Env& env, Stream& stream, const std::string& text, Status& result) {
  std::vector<ConstBytes> pieces;  // uneven pieces, more than one gathering call of the kernel takes
  size_t at = 0, length = 1;
  while (at < text.size()) {
    const size_t n = std::min(length, text.size() - at);
    pieces.push_back(as_bytes(std::string_view(text).substr(at, n)));
    at += n;
    length = length * 3 % 9973 + 1;
  }
  result = co_await stream.write(pieces, env.in(seconds(40)));
}

inline Task<void> carries_exact_bytes(Env& env, std::string host) {
  Pair pair;
  co_await open_pair(env, host, pair);
  CO_ASSERT(pair.client && pair.server);
  const std::string there = pattern(300'000, 1), back = pattern(70'000, 2);
  std::string got_there(there.size(), 0), got_back(back.size(), 0);
  Gate gate(env);
  Status wrote = Error(ErrorCode::kInternal), wrote_back = Error(ErrorCode::kInternal);
  EXPECT_TRUE(spawn(gate, "there", write_pieces(env, *pair.client, there, wrote)));
  EXPECT_TRUE(spawn(gate, "back", write_pieces(env, *pair.server, back, wrote_back)));
  auto read = co_await read_exact(*pair.server, writable(got_there), env.in(seconds(40)));
  EXPECT_TRUE(read);
  auto read_back = co_await read_exact(*pair.client, writable(got_back), env.in(seconds(40)));
  EXPECT_TRUE(read_back);
  co_await gate.close();
  EXPECT_TRUE(wrote);
  EXPECT_TRUE(wrote_back);
  EXPECT_TRUE(got_there == there);
  EXPECT_TRUE(got_back == back);
}

inline Task<void> large_writes_meet_back_pressure(Env& env, std::string host) {
  Pair pair;
  co_await open_pair(env, host, pair);
  CO_ASSERT(pair.client && pair.server);
  const std::string sent = pattern(24 << 20, 3);
  Gate gate(env);
  Status wrote = Error(ErrorCode::kInternal);
  EXPECT_TRUE(spawn(gate, "writer", write_pieces(env, *pair.client, sent, wrote)));
  co_await env.sleep(milliseconds(300));
  EXPECT_EQ(gate.count(), 1u) << "24 MiB were taken although nobody reads: no limit anywhere";
  std::string got(sent.size(), 0);
  auto read = co_await read_exact(*pair.server, writable(got), env.in(seconds(50)));
  EXPECT_TRUE(read);
  co_await gate.close();
  EXPECT_TRUE(wrote);
  EXPECT_TRUE(got == sent);
}

inline Task<void> read_reports_what_is_there(Env& env, std::string host) {
  Pair pair;
  co_await open_pair(env, host, pair);
  CO_ASSERT(pair.client && pair.server);
  EXPECT_TRUE(co_await write_text(env, *pair.client, "abc"));
  std::string got;
  while (got.size() < 3) {
    std::string part(100, 0);
    auto n = co_await pair.server->read_some(writable(part), 1, env.in(seconds(10)));
    CO_ASSERT_OK(n);
    CO_ASSERT(*n >= 1 && *n <= 3 - got.size());
    got += part.substr(0, *n);
  }
  EXPECT_EQ(got, "abc");
}

inline Task<void> minimum_is_only_a_hint_to_sleep(Env& env, std::string host) {
  Pair pair;
  co_await open_pair(env, host, pair);
  CO_ASSERT(pair.client && pair.server);
  const std::string sent = pattern(1000, 5);
  Gate gate(env);
  Status wrote = Error(ErrorCode::kInternal);
  EXPECT_TRUE(spawn(gate, "writer", write_pieces(env, *pair.client, sent, wrote)));
  std::string got;
  while (got.size() < sent.size()) {
    std::string part(sent.size() - got.size(), 0);
    auto n = co_await pair.server->read_some(writable(part), part.size(), env.in(seconds(10)));
    CO_ASSERT_OK(n);
    CO_ASSERT(*n >= 1);
    got += part.substr(0, *n);
  }
  EXPECT_EQ(got, sent);
  co_await gate.close();
}

inline Task<void> timed_out_stream_is_dead(Env& env, std::string host) {
  Pair pair;
  co_await open_pair(env, host, pair);
  CO_ASSERT(pair.client && pair.server);
  std::string part(10, 0);
  const MonoTime begin = env.now();
  auto read = co_await pair.client->read_some(writable(part), 1, env.in(milliseconds(30)));
  EXPECT_ERROR(read, ErrorCode::kTimedOut);
  EXPECT_GE(env.now() - begin, milliseconds(30));
  // The bytes come now, too late: the stream must never deliver them.
  (void)co_await write_text(env, *pair.server, "late");
  co_await env.sleep(milliseconds(20));
  auto again = co_await pair.client->read_some(writable(part), 1, env.in(seconds(1)));
  EXPECT_FALSE(again.has_value());
  auto wrote = co_await write_text(env, *pair.client, "x");
  EXPECT_FALSE(wrote.has_value());
}

inline Task<void> write_times_out(Env& env, std::string host) {
  Pair pair;
  co_await open_pair(env, host, pair);
  CO_ASSERT(pair.client && pair.server);
  const std::string sent = pattern(24 << 20, 4);
  const std::array<ConstBytes, 1> pieces{as_bytes(sent)};
  auto wrote = co_await pair.client->write(pieces, env.in(milliseconds(100)));
  EXPECT_ERROR(wrote, ErrorCode::kTimedOut);
  auto again = co_await write_text(env, *pair.client, "x");
  EXPECT_FALSE(again.has_value());
}

inline Task<void> read_once(Stream& stream, Deadline deadline, ErrorCode& code) {
  std::string part(10, 0);
  auto read = co_await stream.read_some(writable(part), 1, deadline);
  code = read ? ErrorCode::kNone : read.error().code;
}

inline Task<void> write_once(Stream& stream, const std::string& text, ErrorCode& code) {
  const std::array<ConstBytes, 1> pieces{as_bytes(text)};
  auto wrote = co_await stream.write(pieces, Deadline::never());
  code = wrote ? ErrorCode::kNone : wrote.error().code;
}

inline Task<void> close_ends_pending(Env& env, std::string host) {
  Pair pair;
  co_await open_pair(env, host, pair);
  CO_ASSERT(pair.client && pair.server);
  Gate gate(env);
  const std::string large = pattern(24 << 20, 4);
  ErrorCode read = ErrorCode::kNone, wrote = ErrorCode::kNone;
  EXPECT_TRUE(spawn(gate, "reader", read_once(*pair.client, Deadline::never(), read)));
  EXPECT_TRUE(spawn(gate, "writer", write_once(*pair.client, large, wrote)));
  co_await env.sleep(milliseconds(50));
  EXPECT_EQ(gate.count(), 2u);
  pair.client->close();
  pair.client->close();  // idempotent
  co_await gate.close();
  EXPECT_EQ(error_name(read), error_name(ErrorCode::kClosed));
  EXPECT_EQ(error_name(wrote), error_name(ErrorCode::kClosed));
  auto later = co_await write_text(env, *pair.client, "x");
  EXPECT_ERROR(later, ErrorCode::kClosed);
  std::string part(10, 0);
  auto later_read = co_await pair.client->read_some(writable(part), 1, env.in(seconds(1)));
  EXPECT_ERROR(later_read, ErrorCode::kClosed);
}

inline Task<void> peer_close_delivers_then_resets(Env& env, std::string host, bool by_destructor) {
  Pair pair;
  co_await open_pair(env, host, pair);
  CO_ASSERT(pair.client && pair.server);
  const std::string sent = pattern(5000, 6);
  EXPECT_TRUE(co_await write_text(env, *pair.client, sent));
  if (by_destructor)
    pair.client.reset();
  else
    pair.client->close();
  std::string got(sent.size(), 0);
  auto read = co_await read_exact(*pair.server, writable(got), env.in(seconds(10)));
  CO_ASSERT_OK(read);
  EXPECT_TRUE(got == sent) << "what was written before a close in good order must arrive";
  std::string part(10, 0);
  auto end = co_await pair.server->read_some(writable(part), 1, env.in(seconds(10)));
  EXPECT_ERROR(end, ErrorCode::kConnectionReset);
  auto again = co_await pair.server->read_some(writable(part), 1, env.in(seconds(10)));
  EXPECT_FALSE(again.has_value());
}

inline Task<void> writing_to_a_closed_peer_fails(Env& env, std::string host) {
  Pair pair;
  co_await open_pair(env, host, pair);
  CO_ASSERT(pair.client && pair.server);
  pair.client->close();
  ErrorCode code = ErrorCode::kNone;
  for (int i = 0; i < 200 && code == ErrorCode::kNone; ++i) {
    auto wrote = co_await write_text(env, *pair.server, "is somebody there?");
    if (!wrote) code = wrote.error().code;
    co_await env.sleep(milliseconds(10));
  }
  EXPECT_EQ(error_name(code), error_name(ErrorCode::kConnectionReset));
}

inline Task<void> write_file_sends_a_range(Env& env, std::string host, std::string directory) {
  const std::string content = pattern(700'000, 7);
  OpenMode mode;
  mode.create = true;
  auto file = co_await env.files().open(join_path(directory, "segment"), mode);
  CO_ASSERT_OK(file);
  const std::array<ConstBytes, 1> pieces{as_bytes(content)};
  auto stored = co_await (*file)->write_at(0, pieces);
  CO_ASSERT_OK(stored);
  Pair pair;
  co_await open_pair(env, host, pair);
  CO_ASSERT(pair.client && pair.server);
  Gate gate(env);
  Status sent = Error(ErrorCode::kInternal);
  struct Sender {
    static Task<void> run(Env& env, Stream& stream, File& file, Status& sent) {
      sent = co_await stream.write_file(file, 12'345, 600'000, env.in(seconds(30)));
    }
  };
  EXPECT_TRUE(spawn(gate, "sender", Sender::run(env, *pair.server, **file, sent)));
  std::string got(600'000, 0);
  auto read = co_await read_exact(*pair.client, writable(got), env.in(seconds(30)));
  EXPECT_TRUE(read);
  co_await gate.close();
  EXPECT_TRUE(sent);
  EXPECT_TRUE(got == content.substr(12'345, 600'000));
}

inline Task<void> refused_connect_is_unavailable(Env& env, std::string host) {
  Endpoint any{host, 0};
  auto listener = co_await env.network().listen(std::move(any));
  CO_ASSERT_OK(listener);
  Endpoint gone{host, (*listener)->local().port};
  (*listener)->close();
  listener->reset();
  auto stream = co_await env.network().connect(std::move(gone), env.in(seconds(10)));
  EXPECT_ERROR(stream, ErrorCode::kUnavailable);
}

inline Task<void> unknown_host_is_unavailable(Env& env) {
  Endpoint nowhere{"no-such-host.invalid", 9092};
  auto stream = co_await env.network().connect(std::move(nowhere), env.in(seconds(20)));
  EXPECT_FALSE(stream.has_value());
  if (!stream) {
    EXPECT_TRUE(stream.error() == ErrorCode::kUnavailable || stream.error() == ErrorCode::kTimedOut)
        << stream.error().to_string();
  }
}

inline Task<void> taken_port_already_exists(Env& env, std::string host) {
  Endpoint any{host, 0};
  auto first = co_await env.network().listen(std::move(any));
  CO_ASSERT_OK(first);
  Endpoint same{host, (*first)->local().port};
  auto second = co_await env.network().listen(same);
  EXPECT_ERROR(second, ErrorCode::kAlreadyExists);
  first->reset();
  auto third = co_await env.network().listen(same);  // free again
  EXPECT_TRUE(third.has_value()) << third.error().to_string();
}

inline Task<void> foreign_host_is_invalid(Env& env) {
  Endpoint foreign{"192.0.2.1", 0};  // TEST-NET-1 (RFC 5737): nobody's address
  auto listener = co_await env.network().listen(std::move(foreign));
  EXPECT_ERROR(listener, ErrorCode::kInvalidArgument);
}

inline Task<void> closing_a_listener_ends_accept(Env& env, std::string host) {
  Endpoint any{host, 0};
  auto listener = co_await env.network().listen(std::move(any));
  CO_ASSERT_OK(listener);
  Gate gate(env);
  Result<std::unique_ptr<Stream>> accepted = Error(ErrorCode::kInternal);
  EXPECT_TRUE(spawn(gate, "accept", accept_one(**listener, accepted)));
  co_await env.sleep(milliseconds(10));
  EXPECT_EQ(gate.count(), 1u);
  (*listener)->close();
  co_await gate.close();
  EXPECT_ERROR(accepted, ErrorCode::kClosed);
  auto later = co_await (*listener)->accept();
  EXPECT_ERROR(later, ErrorCode::kClosed);
}

inline Task<void> many_connections_are_separate(Env& env, std::string host) {
  Endpoint any{host, 0};
  auto listener = co_await env.network().listen(std::move(any));
  CO_ASSERT_OK(listener);
  const uint16_t port = (*listener)->local().port;
  std::vector<std::unique_ptr<Stream>> clients;
  for (int i = 0; i < 20; ++i) {
    Endpoint to{host, port};
    auto client = co_await env.network().connect(std::move(to), env.in(seconds(10)));  // waits in the backlog
    CO_ASSERT_OK(client);
    EXPECT_TRUE(co_await write_text(env, **client, std::string(1, static_cast<char>('a' + i))));
    clients.push_back(std::move(*client));
  }
  std::string seen;
  std::vector<std::unique_ptr<Stream>> servers;
  for (int i = 0; i < 20; ++i) {
    auto server = co_await (*listener)->accept();
    CO_ASSERT_OK(server);
    std::string letter(1, 0);
    auto read = co_await read_exact(**server, writable(letter), env.in(seconds(10)));
    CO_ASSERT_OK(read);
    seen += letter;
    servers.push_back(std::move(*server));
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, "abcdefghijklmnopqrst");
}

inline Task<void> peer_names_the_other_end(Env& env, std::string host) {
  Pair pair;
  co_await open_pair(env, host, pair);
  CO_ASSERT(pair.client && pair.server);
  EXPECT_EQ(pair.client->peer().port, pair.listener->local().port);
  EXPECT_NE(pair.server->peer().port, 0);
  EXPECT_FALSE(pair.server->peer().host.empty());
}

}  // namespace stream_cases

inline Suite stream_contract() {
  namespace c = stream_cases;
  return {
      {"StreamCarriesExactBytesBothWays", [](EnvHarness& h) { h.run(c::carries_exact_bytes(h.env(), h.host())); }},
      {"LargeWritesMeetBackPressure",
       [](EnvHarness& h) { h.run(c::large_writes_meet_back_pressure(h.env(), h.host())); }},
      {"ReadReturnsAvailableBytes", [](EnvHarness& h) { h.run(c::read_reports_what_is_there(h.env(), h.host())); }},
      {"ReadWithAMinimumLosesNoBytes",
       [](EnvHarness& h) { h.run(c::minimum_is_only_a_hint_to_sleep(h.env(), h.host())); }},
      {"StreamIsDeadAfterAReadTimeout", [](EnvHarness& h) { h.run(c::timed_out_stream_is_dead(h.env(), h.host())); }},
      {"StreamIsDeadAfterAWriteTimeout", [](EnvHarness& h) { h.run(c::write_times_out(h.env(), h.host())); }},
      {"CloseEndsPendingOperationsWithClosed", [](EnvHarness& h) { h.run(c::close_ends_pending(h.env(), h.host())); }},
      {"PeerCloseDeliversTheRestThenResets",
       [](EnvHarness& h) { h.run(c::peer_close_delivers_then_resets(h.env(), h.host(), false)); }},
      {"DestroyedStreamIsClosed",
       [](EnvHarness& h) { h.run(c::peer_close_delivers_then_resets(h.env(), h.host(), true)); }},
      {"WritingToAClosedPeerIsConnectionReset",
       [](EnvHarness& h) { h.run(c::writing_to_a_closed_peer_fails(h.env(), h.host())); }},
      {"WriteFileSendsExactlyTheRange",
       [](EnvHarness& h) { h.run(c::write_file_sends_a_range(h.env(), h.host(), h.scratch())); }},
      {"RefusedConnectIsUnavailable",
       [](EnvHarness& h) { h.run(c::refused_connect_is_unavailable(h.env(), h.host())); }},
      {"UnknownHostIsUnavailable", [](EnvHarness& h) { h.run(c::unknown_host_is_unavailable(h.env())); }},
      {"TakenPortAlreadyExists", [](EnvHarness& h) { h.run(c::taken_port_already_exists(h.env(), h.host())); }},
      {"ForeignListenAddressIsInvalid", [](EnvHarness& h) { h.run(c::foreign_host_is_invalid(h.env())); }},
      {"ClosedListenerEndsAccept", [](EnvHarness& h) { h.run(c::closing_a_listener_ends_accept(h.env(), h.host())); }},
      {"ManyConnectionsStaySeparate",
       [](EnvHarness& h) { h.run(c::many_connections_are_separate(h.env(), h.host())); }},
      {"PeerIsTheOtherEndsAddress", [](EnvHarness& h) { h.run(c::peer_names_the_other_end(h.env(), h.host())); }},
  };
}

}  // namespace farshore::contract
