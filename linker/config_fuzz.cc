// Any bytes as gateway.yaml, or as --set: an error, or settings within what gateway_schema() allows. Input: which one,
// its text.
#include "base/ensure.h"
#include "linker/config.h"

using namespace farshore;
using namespace farshore::linker;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  Config config(gateway_schema());
  auto taken = data[0] % 2 == 0 ? parse_gateway_yaml(config, text, "gateway.yaml") : set_gateway_key(config, text);
  if (!taken) {
    ensure(taken.error() == ErrorCode::kInvalidArgument, "bad settings are an invalid argument");
    ensure(!taken.error().detail.empty(), "the error says what is wrong");
    return 0;
  }
  for (const auto& [name, value] : config.values())
    ensure(gateway_schema().check(name, value).has_value(), "only what the table allows is set");
  if (auto settings = gateway_settings(config)) {
    ensure(!settings->gateway.target.empty(), "a gateway has a target");
    ensure(settings->gateway.replicator.pump.buffered_bytes_max <= settings->gateway.replicator.inflight_bytes_max,
           "the limits agree");
  }
  return 0;
}
