// The contract suites of base/contract on the simulator, under several seeds.
#include <cstdlib>

#include "base/contract/executor_contract.h"
#include "base/contract/file_contract.h"
#include "base/contract/kv_contract.h"
#include "base/contract/meta_contract.h"
#include "base/contract/stream_contract.h"
#include "base/sim/net.h"
#include "base/sim/world.h"

namespace farshore::sim {
namespace {

template <uint64_t kSeed>
class SimHarness final : public contract::EnvHarness {
 public:
  SimHarness() : world_(options()), env_(world_.start_process("east-1", "test")) {}
  ~SimHarness() override {
    if (testing::Test::HasFailure()) world_.print(stderr);
  }
  Env& env() override { return env_; }
  Env& second() override {
    if (!second_) second_ = &world_.start_process("east-1", "second");
    return *second_;
  }
  void run(Env& env, Task<void> task, Duration limit) override {
    EXPECT_TRUE(world_.run(static_cast<SimEnv&>(env), std::move(task), limit)) << "not ended within the limit";
  }
  std::string scratch() override {
    std::string path = "/scratch/" + std::to_string(++directories_);
    struct Make {
      static Task<void> run(Env& env, std::string path) { EXPECT_TRUE(co_await env.files().make_dirs(path)); }
    };
    run(env_, Make::run(env_, path), seconds(10));
    return path;
  }
  std::string host() override { return "east-1"; }
  KvOpener* kv() override { return &env_.kv(); }

 private:
  static SimOptions options() {
    SimOptions options;
    options.seed = kSeed;
    options.buggify = false;
    return options;
  }
  SimWorld world_;
  SimEnv& env_;
  SimEnv* second_ = nullptr;
  int directories_ = 0;
};

template <uint64_t kSeed>
std::unique_ptr<contract::EnvHarness> make() {
  return std::make_unique<SimHarness<kSeed>>();
}

template <uint64_t kSeed>
bool register_all() {
  static const std::string seed = "Seed" + std::to_string(kSeed);
  contract::register_suite(("SimExecutor" + seed).c_str(), contract::executor_contract(), make<kSeed>);
  contract::register_suite(("SimStream" + seed).c_str(), contract::stream_contract(), make<kSeed>);
  contract::register_suite(("SimFile" + seed).c_str(), contract::file_contract(), make<kSeed>);
  contract::register_suite(("SimKv" + seed).c_str(), contract::kv_contract(), make<kSeed>);
  contract::register_suite(("SimMeta" + seed).c_str(), contract::meta_contract(), make<kSeed>);
  return true;
}

const bool registered = register_all<1>() && register_all<2>() && register_all<3>() && register_all<4>();

}  // namespace
}  // namespace farshore::sim
