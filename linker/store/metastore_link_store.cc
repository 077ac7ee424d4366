#include "linker/store/metastore_link_store.h"

#include "proto/kafka/messages/link_state.h"
#include "proto/link/link_metastore.h"

namespace farshore::linker {
namespace {

using kafka::Repeat;

constexpr int32_t kTimeoutMs = 20000;
constexpr int32_t kPageEntries = 1000;

kafka::Bytes bytes_of(std::string_view text) {
  ConstBytes view = as_bytes(text);
  return kafka::Bytes(view.begin(), view.end());
}
std::string text_of(const kafka::Bytes& bytes) { return std::string(as_text(bytes)); }

kafka::LinkStateRequest request(LinkMetastoreOperation operation) {
  kafka::LinkStateRequest request;
  request.timeout_ms = kTimeoutMs;
  request.op = wire_value(operation);
  return request;
}

}  // namespace

Task<Result<StoredPage>> MetastoreLinkStore::page(std::string begin, std::string end, Deadline deadline) {
  kafka::LinkStateRequest range = request(LinkMetastoreOperation::kRange);
  range.key = bytes_of(begin);
  range.end_key = bytes_of(end);
  range.limit = kPageEntries;
  auto response = co_await cluster_.call_any(std::move(range), Repeat::kYes, deadline);
  if (!response) co_return std::move(response).error().in("target: stored links");
  if (response->error_code != 0)
    co_return kafka::to_error(response->error_code, "target: stored links: " + response->error_message.value_or(""));
  StoredPage out;
  out.more = response->more;
  for (const auto& entry : response->entries) {
    StoredEntry& found = out.entries.emplace_back();
    found.key = text_of(entry.key);
    found.value = text_of(entry.value);
    found.revision = entry.mod_revision;
  }
  co_return out;
}

Task<Result<StoredEntry>> MetastoreLinkStore::read(std::string key, Deadline deadline) {
  kafka::LinkStateRequest range = request(LinkMetastoreOperation::kRange);
  range.key = bytes_of(key);
  auto response = co_await cluster_.call_any(std::move(range), Repeat::kYes, deadline);
  if (!response) co_return std::move(response).error().in("target: " + key);
  if (response->error_code != 0)
    co_return kafka::to_error(response->error_code, "target: " + key + ": " + response->error_message.value_or(""));
  StoredEntry stored;
  stored.key = std::move(key);
  if (!response->entries.empty()) {
    stored.value = text_of(response->entries.front().value);
    stored.revision = response->entries.front().mod_revision;
  }
  co_return stored;
}

Task<Result<int64_t>> MetastoreLinkStore::replace(StoredEntry entry, Deadline deadline) {
  const std::string where = "target: store " + entry.key;
  for (bool again = true;; again = false) {
    kafka::LinkStateRequest txn = request(LinkMetastoreOperation::kTxn);
    auto& compare = txn.compares.emplace_back();
    compare.key = bytes_of(entry.key);
    compare.mod_revision = entry.revision;
    auto& change = txn.changes.emplace_back();
    change.key = bytes_of(entry.key);
    if (!entry.value.empty()) change.value = bytes_of(entry.value);
    // Not simply repeated: if the first write succeeded, the second one would get a conflict, as if from another
    // gateway.
    auto response = co_await cluster_.call_any(std::move(txn), Repeat::kNo, deadline);
    if (response) {
      if (response->error_code != 0)
        co_return kafka::to_error(response->error_code, where + ": " + response->error_message.value_or(""));
      if (response->succeeded) co_return response->revision;
    } else if (!error_retriable(response.error().code)) {
      co_return std::move(response).error().in(where);
    } else {
      // The connection ended, as all do when a broker is restarted: the entry says whether the write was carried out.
      auto stored = co_await read(entry.key, deadline);
      if (!stored) co_return std::move(response).error().in(where);
      const bool unchanged = stored->revision == entry.revision;
      if (!unchanged && stored->value == entry.value) co_return stored->revision;
      if (unchanged && again) continue;
      if (unchanged) co_return std::move(response).error().in(where);
    }
    co_return Error(ErrorCode::kConflict, entry.key + " was changed by somebody else meanwhile");
  }
}

}  // namespace farshore::linker
