// Any bytes as a stored link, a bootstrap list, or a property of a link: an error, or something that is written and
// read as the same again. Input: which one, its text.
#include "base/ensure.h"
#include "proto/link/link_properties.h"
#include "proto/link/stored_link.h"

using namespace farshore;

namespace {

void stores(const StoredLink& link) {
  auto again = decode_stored_link(encode(link));
  ensure(again.has_value(), "what was written is read");
  ensure(encode(*again) == encode(link), "the same link");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 3) {
    case 0:
      if (auto link = decode_stored_link(text)) {
        stores(*link);
        (void)validate(link->spec);
      }
      break;
    case 1:
      if (auto bootstrap = parse_bootstrap(text)) {
        auto again = parse_bootstrap(to_string(*bootstrap));
        ensure(again && *again == *bootstrap, "the same addresses");
      }
      break;
    default: {
      StoredLink link;
      link.spec.name = "link";
      link.spec.source = parse_bootstrap("east:9092").value();
      link.spec.target = parse_bootstrap("west:9092").value();
      link.spec.topics = {parse_filter("*").value()};
      const auto split = text.find('=');
      if (split == std::string::npos) break;
      if (set_property(link.spec, text.substr(0, split), text.substr(split + 1))) stores(link);
      link.state_reason = text;  // what a peer said: any bytes
      (void)encode(link);
    }
  }
  return 0;
}
