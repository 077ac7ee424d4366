// The contract suites of KvStore and MetaStore on RocksDB.
#include <gtest/gtest.h>

#include "base/contract/kv_contract.h"
#include "base/contract/meta_contract.h"
#include "base/real/testing/harness.h"
#include "base/rocksdb/kv.h"

namespace farshore {
namespace {

class RocksHarness final : public RealHarness {
 public:
  KvOpener* kv() override { return &opener_; }

 private:
  RocksKvOpener opener_{env()};
};

std::unique_ptr<contract::EnvHarness> make() { return std::make_unique<RocksHarness>(); }

const bool kKv = contract::register_suite("RocksKv", contract::kv_contract(), make);
const bool kMeta = contract::register_suite("RocksMeta", contract::meta_contract(), make);

}  // namespace
}  // namespace farshore
