#include <iostream>
#include <thread>

#include "linker/cli/readiness.h"
#include "linker/cli/session.h"

namespace farshore::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kWaitDefault{60}, kSaidAfter{2};
constexpr std::chrono::milliseconds kLookPause{100};
constexpr std::chrono::seconds kLookLimit{5};      // of one question to the gateway
constexpr std::chrono::seconds kDiscoverEvery{1};  // the link is asked to look for topics of its source

struct WaitOptions {
  std::vector<std::string> brokers;
  std::string link;
};

// The time that one `farshore wait` has, and what it says while it waits.
class Patience {
 public:
  explicit Patience(std::chrono::seconds limit) : begun_(Clock::now()), limit_(limit), said_at_(begun_) {}

  std::chrono::milliseconds waited() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun_);
  }
  std::chrono::milliseconds left() const { return std::max(std::chrono::milliseconds(0), limit_ - waited()); }
  // Throws when the time is up.
  void pause(const std::string& missing) {
    if (left() == std::chrono::milliseconds(0))
      throw CommandFailed{"not ready after " + std::to_string(limit_.count()) + " s (--timeout): " + missing};
    if (Clock::now() - said_at_ >= kSaidAfter && missing != said_) {
      std::cerr << "waiting: " << missing << std::endl;
      said_ = missing;
      said_at_ = Clock::now();
    }
    std::this_thread::sleep_for(std::min(kLookPause, left()));
  }

 private:
  const Clock::time_point begun_;
  const std::chrono::seconds limit_;
  Clock::time_point said_at_;
  std::string said_;
};

void wait_for_broker(Session& session, const std::string& address, Patience& patience) {
  auto at = Endpoint::parse(address);
  if (!at) throw CommandFailed{"--broker: " + at.error().detail, 2};
  for (auto answer = session.ask_broker(*at); !answer; answer = session.ask_broker(*at))
    patience.pause("broker " + address + ": " + answer.error().to_string());
}

// nullopt: no gateway answers yet, and `missing` says so.
std::optional<api::StatusReply> ask_gateway(Session& session, const std::string& link, bool discover,
                                            std::string& missing) {
  api::StatusRequest request;
  request.set_link(link);
  request.set_partitions(true);
  request.set_discover(discover);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kLookLimit);
  auto reader = session.stub().Status(&context, request);
  api::StatusReply reply;
  const bool answered = reader->Read(&reply);
  auto status = reader->Finish();
  if (status.ok() && answered) return reply;
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE &&
      status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED && !status.ok())
    session.check(status);
  missing = "no gateway answers at " + session.address + " (" + status.error_message() + ")";
  return std::nullopt;
}

void wait(Session& session, const WaitOptions& options) {
  Patience patience(session.timeout_s > 0 ? std::chrono::seconds(session.timeout_s) : kWaitDefault);
  for (const auto& broker : options.brokers) wait_for_broker(session, broker, patience);
  const auto begun = patience.waited();
  auto elapsed = [&] { return patience.waited() - begun; };
  std::chrono::milliseconds discover_at{0};
  auto ask = [&](std::string& missing) {
    const bool discover = !options.link.empty() && elapsed() >= discover_at;
    if (discover) discover_at = elapsed() + kDiscoverEvery;
    return ask_gateway(session, options.link, discover, missing);
  };
  for (;;) {
    const ReadinessLook look = look_at_gateway(options.link, elapsed, ask);
    if (look.readiness.state == Readiness::State::kReady) return session.json() ? session.print(*look.status) : void();
    if (look.readiness.state == Readiness::State::kNever) throw CommandFailed{look.readiness.missing};
    patience.pause(look.readiness.missing);
  }
}

}  // namespace

void add_wait_command(CLI::App& app, Session& session) {
  auto options = std::make_shared<WaitOptions>();
  auto* waits = app.add_subcommand("wait", "wait until a gateway, brokers or a link are ready (60 s, or --timeout)");
  waits->add_option("--broker", options->brokers, "wait until a broker answers at HOST:PORT; may be repeated");
  waits->add_option(
      "--link", options->link,
      "wait until it has mirrored all that its source has, new topics too; fails at once if it is PAUSED or "
      "FAILED");
  waits->callback([&session, options] { wait(session, *options); });
}

}  // namespace farshore::cli
