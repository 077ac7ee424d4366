// LinkState 0 (private), the link metastore: gateways store their links here, under "link/" of the cluster's metadata,
// so that a gateway's machine has nothing to lose. A transaction that loses a compare is answered with the entries as
// they are. It has nothing to do with the state of a link (proto/link/link_state.h).
#include "proto/kafka/messages/link_state.h"

#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/refusal.h"
#include "broker/mirror/link_fences.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "proto/link/keys.h"
#include "proto/link/link_metastore.h"
#include "proto/link/stored_link.h"

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

// The link that another gateway has, or nobody, once this change is made; nullopt: the change leaves it to its owner.
Task<Result<std::optional<LinkId>>> loses_owner(Services& services, const Request::Change& change, Deadline deadline) {
  std::optional<LinkId> link;
  std::string key = text(change.key);
  if (parse_link_key(key).kind != LinkKey::Kind::kLink) co_return link;
  CO_TRY(auto there, co_await services.metadata.range(std::move(key), "", deadline));
  if (there.entries.empty()) co_return link;
  auto before = decode_stored_link(there.entries.front().value);
  if (!before) co_return link;  // damaged: no write of it is let in
  if (change.value) {
    auto after = decode_stored_link(as_text(*change.value));
    if (after && after->id == before->id && after->epoch == before->epoch) co_return link;
  }
  link = before->id;
  co_return link;
}

// Before a link changes its owner, all writes of the owner are done, and no new one begins until the change is made.
Task<Result<std::vector<LinkFences::Pass>>> take_links(Services& services, const Request& request, Deadline deadline) {
  std::vector<LinkFences::Pass> taken;
  for (const auto& change : request.changes) {
    CO_TRY(auto link, co_await loses_owner(services, change, deadline));
    if (!link) continue;
    CO_TRY(auto pass, co_await services.link_fences.take(*link, deadline));
    taken.push_back(std::move(pass));
  }
  co_return std::move(taken);
}

Task<Status> do_txn(RequestContext& context, const Request& request, Response& response, Deadline deadline) {
  Services& services = context.services;
  // Of a gateway: the entries of its link, only while it has the link. It gives way to itself where it deletes the
  // link.
  LinkFences::Entered writes = co_await services.link_fences.write(context.client_id, deadline);
  if (writes.refusal) {
    const bool fenced = writes.refusal.code == Code::kProducerFenced;
    co_return Error(fenced ? ErrorCode::kFenced : ErrorCode::kUnavailable, writes.refusal.message);
  }
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
  bool own_link = false;
  for (const auto& change : request.changes)
    own_link = own_link || parse_link_key(text(change.key)).kind == LinkKey::Kind::kLink;
  if (own_link) writes.pass.leave();
  CO_TRY(auto taken, co_await take_links(services, request, deadline));
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
    done = co_await do_txn(context, request, response, deadline);
  if (!done) {
    response.entries.clear();
    Code code = kafka_error(done.error());
    if (done.error() == ErrorCode::kInvalidArgument) code = Code::kInvalidRequest;
    if (done.error() == ErrorCode::kFenced) code = Code::kProducerFenced;
    services.metrics.error(code);
    response.error_code = static_cast<int16_t>(code);
    response.error_message = done.error().to_string();
  }
  co_return response;
}

ApiEntry link_state_api() { return api<handle_link_state>("LinkState", {0, 0}, {kClusterClusterAction}); }

}  // namespace farshore::broker
