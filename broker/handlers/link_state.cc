// LinkState 0 (private), the link metastore: gateways store their links here, under "link/" of the cluster's metadata,
// so that a gateway's machine has nothing to lose. A transaction that loses a compare is answered with the entries as
// they are. It has nothing to do with the state of a link (proto/link/link_state.h).
#include "proto/kafka/messages/link_state.h"

#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "proto/link/keys.h"
#include "proto/link/link_metastore.h"

namespace farshore::broker {
namespace {

using Code = kafka::ErrorCode;
using Request = kafka::LinkStateRequest;
using Response = kafka::LinkStateResponse;
constexpr Duration kLimitMax = seconds(30);
constexpr size_t kEntriesMax = 10000, kValueBytesMax = 1 << 20;
constexpr size_t kAnswerBytesMax = 4 << 20;  // of an answer with more than one entry

std::string text(const kafka::Bytes& bytes) { return std::string(as_text(bytes)); }
kafka::Bytes bytes(std::string_view value) {
  ConstBytes view = as_bytes(value);
  return kafka::Bytes(view.begin(), view.end());
}

void add(Response& response, const MetaEntry& entry) {
  auto& to = response.entries.emplace_back();
  to.key = bytes(entry.key);
  to.value = bytes(entry.value);
  to.mod_revision = entry.mod_revision;
}

bool ours(std::string_view key) { return key.starts_with(kLinkKeyPrefix); }

Task<Status> do_range(Services& services, const Request& request, Response& response, Deadline deadline) {
  std::string begin = text(request.key), end = text(request.end_key);
  if (!ours(begin) || (!end.empty() && end > prefix_end(std::string(kLinkKeyPrefix))))
    co_return Error(ErrorCode::kInvalidArgument, "keys must begin with link/");
  const size_t limit =
      request.limit > 0 ? std::min<size_t>(static_cast<size_t>(request.limit), kEntriesMax) : kEntriesMax;
  // One more than is sent tells whether there are others.
  CO_TRY(auto snapshot, co_await services.metadata.range(std::move(begin), std::move(end), deadline, limit + 1));
  size_t bytes = 0;
  for (const auto& entry : snapshot.entries) {
    bytes += entry.key.size() + entry.value.size();
    response.more = response.entries.size() == limit || (bytes > kAnswerBytesMax && !response.entries.empty());
    if (response.more) break;
    add(response, entry);
  }
  response.revision = snapshot.revision;
  response.succeeded = true;
  co_return ok();
}

Task<Status> do_txn(Services& services, const Request& request, Response& response, Deadline deadline) {
  MetaTxn txn;
  for (const auto& compare : request.compares) {
    std::string key = text(compare.key);
    if (!ours(key)) co_return Error(ErrorCode::kInvalidArgument, "keys must begin with link/");
    txn.conditions.push_back(Compare::revision_is(std::move(key), compare.mod_revision));
  }
  for (const auto& change : request.changes) {
    std::string key = text(change.key);
    if (!ours(key)) co_return Error(ErrorCode::kInvalidArgument, "keys must begin with link/");
    if (change.value && change.value->size() > kValueBytesMax)
      co_return Error(ErrorCode::kInvalidArgument,
                      "a value is larger than " + std::to_string(kValueBytesMax) + " bytes");
    if (change.value)
      txn.then.push_back(KvPut{std::move(key), text(*change.value)});
    else
      txn.then.push_back(KvDelete{std::move(key)});
  }
  if (txn.then.empty()) co_return Error(ErrorCode::kInvalidArgument, "a transaction that changes nothing");
  CO_TRY(auto reply, co_await services.metadata.commit(std::move(txn), deadline));
  response.succeeded = reply.succeeded;
  response.revision = reply.revision;
  if (reply.succeeded) co_return ok();
  for (const auto& compare : request.compares) {
    CO_TRY(auto now, co_await services.metadata.range(text(compare.key), "", deadline));
    for (const auto& entry : now.entries) add(response, entry);
  }
  co_return ok();
}

}  // namespace

Task<Result<Response>> handle_link_state(RequestContext& context, Request request) {
  Services& services = context.services;
  const Deadline deadline =
      services.env.in(std::clamp<Duration>(milliseconds(request.timeout_ms), milliseconds(1), kLimitMax));
  Response response;
  Status done = Error(ErrorCode::kInvalidArgument,
                      "there is no operation " + std::to_string(request.op) + " (0 range, 1 transaction)");
  const auto operation = parse_link_metastore_operation(request.op);
  if (operation == LinkMetastoreOperation::kRange)
    done = co_await do_range(services, request, response, deadline);
  else if (operation == LinkMetastoreOperation::kTxn)
    done = co_await do_txn(services, request, response, deadline);
  if (!done) {
    response.entries.clear();
    Code code = done.error() == ErrorCode::kInvalidArgument ? Code::kInvalidRequest : kafka_error(done.error());
    services.metrics.error(code);
    response.error_code = static_cast<int16_t>(code);
    response.error_message = done.error().to_string();
  }
  co_return response;
}

ApiEntry link_state_api() { return api<handle_link_state>("LinkState", {0, 0}, {kClusterClusterAction}); }

}  // namespace farshore::broker
