// Any bytes as a properties file, and as an address.
#include "base/config.h"
#include "base/ensure.h"
#include "base/net.h"

using namespace farshore;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const ConfigSchema schema({{"num.partitions", ConfigType::kInt, "1", "", 1, 1000},
                                    {"log.dirs", ConfigType::kList, "/data", ""},
                                    {"ratio", ConfigType::kDouble, "0.5", "", 0, 1},
                                    {"retention.ms", ConfigType::kLong, "-1", ""},
                                    {"enable", ConfigType::kBool, "false", ""},
                                    {"mode", ConfigType::kString, "a", "", -1e300, 1e300, {"a", "b"}}});
  Config config(schema);
  if (config.parse(text, "a file")) {
    ensure(config.number("num.partitions") >= 1 && config.number("num.partitions") <= 1000, "within its range");
    ensure(config.real("ratio") >= 0 && config.real("ratio") <= 1, "within its range");
    (void)config.number("retention.ms");
    (void)config.list("log.dirs");
    (void)config.flag("enable");
  }
  if (auto endpoint = Endpoint::parse(text)) {
    auto again = Endpoint::parse(endpoint->to_string());
    ensure(again && *again == *endpoint, "the same address");
  }
  return 0;
}
