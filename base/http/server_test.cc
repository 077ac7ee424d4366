#include "base/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/real/testing/harness.h"

namespace farshore {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Sends `request`, reads until the server closes or `bytes_max` are there.
Task<void> exchange(Env& env, Endpoint at, std::string request, std::string& answer) {
  auto stream = co_await env.network().connect(std::move(at), env.in(seconds(5)));
  CO_ASSERT_OK(stream);
  ConstBytes piece = as_bytes(request);
  auto written = co_await (*stream)->write(ConstBytesList(&piece, 1), env.in(seconds(5)));
  CO_ASSERT_OK(written);
  std::string part(4096, '\0');
  for (;;) {
    auto n = co_await (*stream)->read_some(contract::writable(part), 1, env.in(seconds(5)));
    if (!n) break;
    answer.append(part, 0, *n);
  }
}

class HttpTest : public testing::Test {
 protected:
  void SetUp() override {
    server_.route("/echo", [](const HttpRequest& request) {
      HttpResponse response;
      response.body = request.path + "|" + request.query;
      return response;
    });
    add_process_routes(server_, env().metrics(), [this]() -> Status {
      if (!ready_) return Error(ErrorCode::kUnavailable, "recovering");
      return ok();
    });
    harness_.run(start());
  }
  void TearDown() override { harness_.run(server_.stop()); }
  Task<void> start() {
    Endpoint at{"127.0.0.1", 0};
    auto started = co_await server_.start(std::move(at));
    CO_ASSERT_OK(started);
  }
  std::string ask(std::string request) {
    std::string answer;
    harness_.run(exchange(env(), server_.local(), std::move(request), answer));
    return answer;
  }
  std::string get(const std::string& target) {
    return ask("GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }
  RealEnv& env() { return harness_.env(); }

  RealHarness harness_;
  HttpServer server_{harness_.env()};
  bool ready_ = false;
};

TEST_F(HttpTest, RouteIsAnsweredWithItsBody) {
  auto answer = get("/echo?a=1");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 9\r\n"));
  EXPECT_THAT(answer, testing::EndsWith("\r\n\r\n/echo|a=1"));
}

TEST_F(HttpTest, ConnectionServesSeveralRequestsAndHeadHasNoBody) {
  auto answer =
      ask("GET /echo?1 HTTP/1.1\r\n\r\n"
          "HEAD /echo?2 HTTP/1.1\r\n\r\n"
          "GET /echo?3 HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("/echo|1"));
  EXPECT_THAT(answer, testing::Not(HasSubstr("/echo|2")));
  EXPECT_THAT(answer, testing::EndsWith("/echo|3"));
}

TEST_F(HttpTest, UnknownPathsAndMethodsAreRefused) {
  EXPECT_THAT(get("/nowhere"), AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("/metrics")));
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nConnection: close\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: GET, HEAD")));
  EXPECT_THAT(ask("GET /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("GET /echo HTTP/2.0\r\n\r\n"), StartsWith("HTTP/1.1 505"));
  EXPECT_THAT(ask("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("GET /echo HTTP/1.1\r\nno colon\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("GET /" + std::string(20000, 'a') + " HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 431"));
}

TEST_F(HttpTest, MetricsAreServedInPrometheusFormat) {
  env().metrics().counter("farshore_test_total", "Things.", {{"topic", "a\"b"}}).add(3);
  env().metrics().gauge("farshore_test_bytes", "Size.").set(1.5);
  auto& histogram = env().metrics().histogram("farshore_test_seconds", "Time.", {0.1, 1});
  for (double v : {0.05, 0.5, 5.0}) histogram.observe(v);
  auto answer = get("/metrics");
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(answer, HasSubstr("# TYPE farshore_test_total counter\nfarshore_test_total{topic=\"a\\\"b\"} 3\n"));
  EXPECT_THAT(answer, HasSubstr("# HELP farshore_test_bytes Size.\n"));
  EXPECT_THAT(answer, HasSubstr("farshore_test_bytes 1.5\n"));
  EXPECT_THAT(answer, HasSubstr("farshore_test_seconds_bucket{le=\"1\"} 2\n"));
  EXPECT_THAT(answer, HasSubstr("farshore_test_seconds_bucket{le=\"+Inf\"} 3\n"));
  EXPECT_THAT(answer, HasSubstr("farshore_test_seconds_count 3\n"));
  EXPECT_THAT(answer, HasSubstr("\nprocess_open_fds ")) << "what the system counts of the process";
}

TEST_F(HttpTest, HealthAndReadinessAreSeparate) {
  EXPECT_THAT(get("/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(get("/readyz"), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("recovering")));
  ready_ = true;
  EXPECT_THAT(get("/readyz"), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace farshore
