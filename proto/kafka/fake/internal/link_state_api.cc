#include "proto/kafka/fake/internal/link_state_api.h"

#include "proto/kafka/error_code.h"
#include "proto/kafka/messages/link_state.h"

namespace farshore::kafka {

void LinkStateApi::link_state(FakeCall& call) {
  auto request = call.decode<LinkStateRequest>();
  LinkStateResponse response;
  auto show = [&](const std::string& key) {
    auto it = cluster_.link_entries.find(key);
    if (it == cluster_.link_entries.end()) return;
    auto& entry = response.entries.emplace_back();
    entry.key = Bytes(as_bytes(key).begin(), as_bytes(key).end());
    entry.value = Bytes(as_bytes(it->second.value).begin(), as_bytes(it->second.value).end());
    entry.mod_revision = it->second.revision;
  };
  if (request.op == 0) {
    const std::string from(as_text(request.key)), to(as_text(request.end_key));
    for (const auto& [key, entry] : cluster_.link_entries) {
      if (to.empty() ? key != from : key < from || key >= to) continue;
      response.more = request.limit > 0 && response.entries.size() == static_cast<size_t>(request.limit);
      if (response.more) break;
      show(key);
    }
  } else {
    response.succeeded = true;
    for (const auto& compare : request.compares) {
      auto it = cluster_.link_entries.find(std::string(as_text(compare.key)));
      if ((it == cluster_.link_entries.end() ? 0 : it->second.revision) != compare.mod_revision)
        response.succeeded = false;
    }
    if (response.succeeded) ++revision_;
    for (const auto& change : request.changes) {
      const std::string key(as_text(change.key));
      if (!response.succeeded) {
        show(key);
      } else if (change.value) {
        cluster_.link_entries[key] = {std::string(as_text(*change.value)), revision_};
      } else {
        cluster_.link_entries.erase(key);
      }
    }
  }
  response.revision = revision_;
  call.reply(response);
}

}  // namespace farshore::kafka
