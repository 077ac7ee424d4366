// A small but whole application for the simulator's own tests: a server that appends records to a file and acknowledges
// them after sync, and a client that resends until it is acknowledged. Both are killed, cut off and switched off.
#pragma once

#include <array>
#include <memory>
#include <set>
#include <string>

#include "base/async_mutex.h"
#include "base/event.h"
#include "base/gate.h"
#include "base/sim/disk.h"
#include "base/sim/net.h"
#include "base/sim/world.h"

namespace farshore::sim {

inline constexpr uint16_t kWorkPort = 7000;
inline constexpr size_t kRecordBytes = 48;  // number (8), payload (32), digest (8)

inline std::string make_record(uint64_t number) {
  std::string record(kRecordBytes, 0);
  auto* at = reinterpret_cast<std::byte*>(record.data());
  store_be<uint64_t>(at, number);
  Random random(number);
  for (size_t i = 8; i < 40; i += 8) store_be<uint64_t>(at + i, random.next());
  store_be<uint64_t>(at + 40, digest(as_bytes(record).first(40)));
  return record;
}
// The record's number, or 0 if it is not whole.
inline uint64_t check_record(ConstBytes record) {
  if (record.size() != kRecordBytes || load_be<uint64_t>(record.data() + 40) != digest(record.first(40))) return 0;
  return load_be<uint64_t>(record.data());
}

// Counts living objects: after a kill there must be none of that process.
struct Living {
  explicit Living(int& c) : count(c) { ++count; }
  Living(const Living&) = delete;
  ~Living() { --count; }
  int& count;
};

struct InjectedDefects {
  bool acknowledge_before_sync = false;  // the canary: loses acknowledged records at a power loss
};

class WorkServer {
 public:
  WorkServer(SimEnv& env, InjectedDefects defects, int& living)
      : env_(env), defects_(defects), gate_(env), turn_(env), living_(living) {}

  Task<void> run() {
    Living here(living_.count);
    auto opened = co_await open_log();
    if (!opened) co_return;  // a disk error: a supervisor would restart us
    Endpoint at{env_.host().name, kWorkPort};
    auto listener = co_await env_.network().listen(std::move(at));
    if (!listener) co_return;
    env_.log().info("serving", {{"records", end_ / kRecordBytes}});
    for (;;) {
      auto stream = co_await (*listener)->accept();
      if (stream)
        (void)farshore::spawn(gate_, "connection", serve(std::move(*stream)));
      else if (stream.error() == ErrorCode::kClosed)
        co_return;
      else
        co_await env_.sleep(milliseconds(10));
    }
  }

 private:
  Task<Status> open_log() {
    CO_CHECK(co_await env_.files().make_dirs("/data"));
    CO_CHECK(co_await env_.files().sync_dir("/"));
    OpenMode mode;
    mode.create = true;
    CO_TRY(file_, co_await env_.files().open("/data/log", mode));
    CO_CHECK(co_await env_.files().sync_dir("/data"));
    std::array<std::byte, kRecordBytes> record;
    for (;;) {  // recovery: the torn tail is cut
      CO_TRY(size_t n, co_await file_->read_at(end_, record));
      if (n < kRecordBytes || check_record(record) == 0) break;
      end_ += kRecordBytes;
    }
    CO_CHECK(co_await file_->truncate(end_));
    co_return co_await file_->sync();
  }

  Task<void> serve(std::unique_ptr<Stream> stream) {
    Living here(living_.count);
    std::array<std::byte, kRecordBytes> record;
    for (;;) {
      auto read = co_await read_exact(*stream, record, env_.in(seconds(5)));
      if (!read || check_record(record) == 0) co_return;
      const ConstBytes piece(record);
      if (defects_.acknowledge_before_sync) {
        auto early = co_await stream->write(ConstBytesList(&piece, 1), env_.in(seconds(5)));
        if (!early) co_return;
      }
      auto appended = co_await append(record);
      if (!appended) co_return;
      if (defects_.acknowledge_before_sync) continue;
      auto wrote = co_await stream->write(ConstBytesList(&piece, 1), env_.in(seconds(5)));
      if (!wrote) co_return;
    }
  }

  Task<Status> append(const std::array<std::byte, kRecordBytes>& record) {
    auto guard = co_await turn_.lock();
    const ConstBytes piece(record);
    CO_CHECK(co_await file_->write_at(end_, ConstBytesList(&piece, 1)));
    end_ += kRecordBytes;
    co_return co_await file_->sync();
  }

  SimEnv& env_;
  InjectedDefects defects_;
  Gate gate_;
  AsyncMutex turn_;
  std::unique_ptr<File> file_;
  uint64_t end_ = 0;
  Living living_;
};

// The promises that the client got. They survive its process, as the world outside does.
struct Ledger {
  std::set<uint64_t> acknowledged;
  uint64_t next = 1;
};

inline Task<void> work_client(SimEnv& env, Ledger& ledger, int& living) {
  Living here(living);
  for (;;) {
    Endpoint to{"east-1", kWorkPort};
    auto stream = co_await env.network().connect(std::move(to), env.in(seconds(3)));
    if (!stream) {
      co_await env.sleep(milliseconds(50));
      continue;
    }
    for (;;) {
      const uint64_t number = ledger.next;
      const std::string record = make_record(number);
      const ConstBytes piece = as_bytes(record);
      auto wrote = co_await (*stream)->write(ConstBytesList(&piece, 1), env.in(seconds(3)));
      if (!wrote) break;
      std::array<std::byte, kRecordBytes> reply;
      auto read = co_await read_exact(**stream, reply, env.in(seconds(3)));
      if (!read) break;
      ensure(check_record(reply) == number, "the acknowledgement is for the record that was sent");
      ledger.acknowledged.insert(number);
      ++ledger.next;
      co_await env.sleep(milliseconds(env.random().between(0, 3)));
    }
  }
}

// One seeded run with faults. `violations`: acknowledged records that the healed server's file does not have.
struct WorkResult {
  uint64_t hash = 0, steps = 0, acknowledged = 0, violations = 0;
  bool progressed_after_heal = false;
  int living = 0;
};

class WorkRun {
 public:
  explicit WorkRun(uint64_t seed, InjectedDefects defects = {}) : world_(options(seed)), defects_(defects) {}
  SimWorld& world() { return world_; }
  int living() const { return living_; }
  Ledger& ledger() { return ledger_; }

  SimEnv& start_server() {
    server_ = &world_.start_process("east-1", "server");
    auto application = std::make_shared<WorkServer>(*server_, defects_, living_);
    world_.spawn(*server_, application->run());
    server_->hold(std::move(application));
    return *server_;
  }
  SimEnv& start_client() {
    client_ = &world_.start_process("west-1", "client");
    world_.spawn(*client_, work_client(*client_, ledger_, living_));
    return *client_;
  }

  WorkResult play(Duration time) {
    start_server();
    start_client();
    Random& random = world_.random();
    for (Duration at{}; at < time;) {
      const Duration pause = milliseconds(random.between(50, 2'000));
      world_.run_for(pause);
      at += pause;
      fault(random);
    }
    return finish();
  }

 private:
  static SimOptions options(uint64_t seed) {
    SimOptions options;
    options.seed = seed;
    return options;
  }
  void fault(Random& random) {
    switch (random.below(9)) {
      case 0:
        world_.kill(*server_);
        break;
      case 1:
        world_.power_off("east-1");
        break;
      case 2:
        world_.kill(*client_);
        break;
      case 3:
        random.chance(0.5) ? world_.net().partition("east-1", "west-1") : world_.net().cut("east-1", "west-1");
        break;
      case 4:
        (void)world_.net().reset_one();
        break;
      case 5:
        (void)world_.net().black_hole_one();
        break;
      case 6:
        world_.net().swizzle({"east-1", "west-1"}, seconds(1));
        break;
      case 7:
        world_.net().heal();
        break;
      case 8:
        server_->paused() ? server_->resume() : server_->pause();
        break;
    }
    if (server_->dead() && random.chance(0.7)) start_server();
    if (client_->dead() && random.chance(0.7)) start_client();
  }
  WorkResult finish() {
    world_.net().heal();
    server_->resume();
    world_.run_for(seconds(8));  // swizzles end
    world_.net().heal();
    if (server_->dead()) start_server();
    if (client_->dead()) start_client();
    WorkResult result;
    const uint64_t before = ledger_.next;
    result.progressed_after_heal =
        world_.run_until([&] { return ledger_.next > before + 3; }, seconds(30)) == RunEnd::kDone;
    std::set<uint64_t> stored;
    const std::string log = world_.disk("east-1").contents("/data/log").value_or("");
    for (size_t at = 0; at + kRecordBytes <= log.size(); at += kRecordBytes)
      stored.insert(check_record(as_bytes(log).subspan(at, kRecordBytes)));
    for (uint64_t number : ledger_.acknowledged) result.violations += stored.count(number) == 0;
    result.acknowledged = ledger_.acknowledged.size();
    result.hash = world_.hash();
    result.steps = world_.steps();
    world_.kill(*server_);
    world_.kill(*client_);
    result.living = living_;
    return result;
  }

  int living_ = 0;
  Ledger ledger_;
  SimWorld world_;
  InjectedDefects defects_;
  SimEnv* server_ = nullptr;
  SimEnv* client_ = nullptr;
};

}  // namespace farshore::sim
