// FakeKafka as a Farshore cluster's link metastore: just what LinkState does, in memory.
#include "proto/kafka/messages/link_state.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/fake/call.h"

namespace farshore::kafka {

void FakeKafka::link_state(Call& call) {
  auto request = call.decode<LinkStateRequest>();
  LinkStateResponse response;
  auto show = [&](const std::string& key) {
    auto it = link_entries.find(key);
    if (it == link_entries.end()) return;
    auto& entry = response.entries.emplace_back();
    entry.key = Bytes(as_bytes(key).begin(), as_bytes(key).end());
    entry.value = Bytes(as_bytes(it->second.value).begin(), as_bytes(it->second.value).end());
    entry.mod_revision = it->second.revision;
  };
  if (request.op == 0) {
    const std::string from(as_text(request.key)), to(as_text(request.end_key));
    for (const auto& [key, entry] : link_entries) {
      if (to.empty() ? key == from : key >= from && key < to) show(key);
    }
  } else {
    response.succeeded = true;
    for (const auto& compare : request.compares) {
      auto it = link_entries.find(std::string(as_text(compare.key)));
      if ((it == link_entries.end() ? 0 : it->second.revision) != compare.mod_revision) response.succeeded = false;
    }
    if (response.succeeded) ++link_revision_;
    for (const auto& change : request.changes) {
      const std::string key(as_text(change.key));
      if (!response.succeeded) {
        show(key);
      } else if (change.value) {
        link_entries[key] = {std::string(as_text(*change.value)), link_revision_};
      } else {
        link_entries.erase(key);
      }
    }
  }
  response.revision = link_revision_;
  response.encode(call.out, call.version());
}

}  // namespace farshore::kafka
