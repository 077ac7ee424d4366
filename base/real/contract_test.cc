// The contract suites of base/contract on a real process: real sockets, real files, the kernel's clock.
#include <gtest/gtest.h>

#include "base/contract/executor_contract.h"
#include "base/contract/file_contract.h"
#include "base/contract/stream_contract.h"
#include "base/real/testing/harness.h"

namespace farshore {
namespace {

std::unique_ptr<contract::EnvHarness> make() { return std::make_unique<RealHarness>(); }

const bool kExecutor = contract::register_suite("RealExecutor", contract::executor_contract(), make);
const bool kStream = contract::register_suite("RealStream", contract::stream_contract(), make);
const bool kFile = contract::register_suite("RealFile", contract::file_contract(), make);

}  // namespace
}  // namespace farshore
