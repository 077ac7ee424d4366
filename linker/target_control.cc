#include "linker/target_control.h"

#include <algorithm>

#include "proto/kafka/messages/link_state.h"
#include "replicator/mirror_sink.h"

namespace farshore::linker {
namespace {

using kafka::Repeat;
using Control = kafka::MirrorControlRequest;
constexpr int32_t kTimeoutMs = 20000;
constexpr int8_t kRange = 0, kTxn = 1;

kafka::Bytes bytes_of(std::string_view text) {
  ConstBytes view = as_bytes(text);
  return kafka::Bytes(view.begin(), view.end());
}
std::string text_of(const kafka::Bytes& bytes) { return std::string(as_text(bytes)); }

}  // namespace

Task<Result<std::vector<StoredEntry>>> TargetControl::list(std::string prefix, Deadline deadline) {
  kafka::LinkStateRequest request;
  request.timeout_ms = kTimeoutMs;
  request.op = kRange;
  request.key = bytes_of(prefix);
  prefix.back() = static_cast<char>(prefix.back() + 1);
  request.end_key = bytes_of(prefix);
  auto response = co_await cluster_.client().call_any(std::move(request), Repeat::kYes, deadline);
  if (!response) co_return std::move(response).error().in("target: stored links");
  if (response->error_code != 0)
    co_return kafka::to_error(response->error_code, "target: stored links: " + response->error_message.value_or(""));
  if (response->more) co_return Error(ErrorCode::kResourceExhausted, "target: more stored links than one answer holds");
  std::vector<StoredEntry> out;
  for (const auto& entry : response->entries) {
    StoredEntry found;
    found.key = text_of(entry.key);
    found.value = text_of(entry.value);
    found.revision = entry.mod_revision;
    out.push_back(std::move(found));
  }
  co_return out;
}

Task<Result<TargetControl::Stored>> TargetControl::read(std::string key, Deadline deadline) {
  kafka::LinkStateRequest request;
  request.timeout_ms = kTimeoutMs;
  request.op = kRange;
  request.key = bytes_of(key);
  CO_TRY(auto response, co_await cluster_.client().call_any(std::move(request), Repeat::kYes, deadline));
  if (response.error_code != 0) co_return kafka::to_error(response.error_code, response.error_message.value_or(""));
  Stored stored;
  if (!response.entries.empty()) {
    stored.value = text_of(response.entries.front().value);
    stored.revision = response.entries.front().mod_revision;
  }
  co_return stored;
}

Task<Result<int64_t>> TargetControl::replace(StoredEntry entry, Deadline deadline) {
  const std::string where = "target: store " + entry.key;
  for (bool again = true;; again = false) {
    kafka::LinkStateRequest request;
    request.timeout_ms = kTimeoutMs;
    request.op = kTxn;
    auto& compare = request.compares.emplace_back();
    compare.key = bytes_of(entry.key);
    compare.mod_revision = entry.revision;
    auto& change = request.changes.emplace_back();
    change.key = bytes_of(entry.key);
    if (!entry.value.empty()) change.value = bytes_of(entry.value);
    // Not simply repeated: if the first one was carried out, the second would seem to lose against somebody else.
    auto response = co_await cluster_.client().call_any(std::move(request), Repeat::kNo, deadline);
    if (response) {
      if (response->error_code != 0)
        co_return kafka::to_error(response->error_code, where + ": " + response->error_message.value_or(""));
      if (response->succeeded) co_return response->revision;
    } else if (!error_retriable(response.error().code)) {
      co_return std::move(response).error().in(where);
    } else {
      // The connection ended, as all do when a broker is restarted: what is stored now says what became of it.
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

Task<Result<MirrorAnswer>> TargetControl::ask(Control request, Deadline deadline) {
  request.timeout_ms = kTimeoutMs;
  const size_t asked = request.topics.front().partitions.size();
  auto response = co_await cluster_.client().call_any(std::move(request), Repeat::kYes, deadline);
  if (!response) co_return std::move(response).error();
  if (response->error_code != 0) co_return replicator::mirror_error(response->error_code, response->error_message);
  if (response->topics.size() != 1) co_return Error(ErrorCode::kCorrupt, "an answer about another number of topics");
  MirrorAnswer answer = std::move(response->topics.front());
  if (answer.error_code != 0) co_return replicator::mirror_error(answer.error_code, answer.error_message);
  if (answer.partitions.size() < asked) co_return Error(ErrorCode::kCorrupt, "an answer that leaves partitions out");
  co_return answer;
}

Task<Result<MirrorAnswer>> TargetControl::create(LinkId link, LinkEpoch epoch, NewMirror mirror, Deadline deadline) {
  Control request;
  request.link_id = link;
  request.link_epoch = epoch.value();
  request.op = replicator::kMirrorCreateTopic;
  request.dry_run = mirror.dry_run;
  auto& topic = request.topics.emplace_back();
  topic.name = mirror.topic;
  topic.source_cluster_id = mirror.source_cluster_id;
  topic.source_topic = mirror.source_topic;
  topic.source_topic_id = mirror.source_topic_id;
  topic.source_provenance = mirror.provenance;
  topic.num_partitions = mirror.partitions;
  for (auto& [name, value] : mirror.configs) {
    auto& config = topic.configs.emplace_back();
    config.name = name;
    config.value = value;
  }
  auto answer = co_await ask(std::move(request), deadline);
  if (!answer) co_return std::move(answer).error().in("mirror topic " + mirror.topic);
  co_return answer;
}

Task<Result<MirrorAnswer>> TargetControl::end_mirror(LinkId link, LinkEpoch epoch, TopicId id,
                                                     std::optional<std::map<int32_t, int64_t>> ends, bool dry_run,
                                                     Deadline deadline) {
  Control request;
  request.link_id = link;
  request.link_epoch = epoch.value();
  request.op = ends ? replicator::kMirrorPromote : replicator::kMirrorFailover;
  request.dry_run = dry_run;
  auto& topic = request.topics.emplace_back();
  topic.topic_id = id;
  if (ends)
    for (const auto& [partition, end] : *ends) {
      auto& asked = topic.partitions.emplace_back();
      asked.partition = partition;
      asked.end_offset = end;
    }
  co_return co_await ask(std::move(request), deadline);
}

Task<Result<MirrorAnswer>> TargetControl::describe(std::string name, int32_t partitions, Deadline deadline) {
  Control request;
  request.op = replicator::kMirrorDescribe;
  auto& topic = request.topics.emplace_back();
  topic.name = std::move(name);
  for (int32_t p = 0; p < partitions; ++p) topic.partitions.emplace_back().partition = p;
  co_return co_await ask(std::move(request), deadline);
}

Task<Result<std::vector<MirrorAnswer>>> TargetControl::mirrors_of(LinkId link, Deadline deadline) {
  constexpr size_t kTopicsPerAsk = 200;
  CO_TRY(auto topics, co_await cluster_.topics(deadline));
  std::vector<MirrorAnswer> out;
  for (size_t at = 0; at < topics.size(); at += kTopicsPerAsk) {
    Control request;
    request.timeout_ms = kTimeoutMs;
    request.op = replicator::kMirrorDescribe;
    for (size_t i = at; i < std::min(topics.size(), at + kTopicsPerAsk); ++i) {
      auto& topic = request.topics.emplace_back();
      topic.name = topics[i].name;
      for (int32_t p = 0; p < topics[i].partitions; ++p) topic.partitions.emplace_back().partition = p;
    }
    auto response = co_await cluster_.client().call_any(std::move(request), Repeat::kYes, deadline);
    if (!response) co_return std::move(response).error().in("target: mirror topics");
    for (auto& answer : response->topics)
      if (answer.error_code == 0 && answer.mirror_state >= 0 && answer.link_id == link)
        out.push_back(std::move(answer));
  }
  co_return out;
}

Task<Status> TargetControl::set_read_only(std::string name, bool read_only, Deadline deadline) {
  Control request;
  request.op = replicator::kMirrorSetReadOnly;
  auto& topic = request.topics.emplace_back();
  topic.name = std::move(name);
  topic.partitions.emplace_back().read_only = read_only;
  CO_CHECK(co_await ask(std::move(request), deadline));
  co_return ok();
}

Task<Result<MirrorAnswer>> TargetControl::digest(std::string name, int32_t partition, int64_t from, int64_t to,
                                                 int32_t ranges, Deadline deadline) {
  Control request;
  request.op = replicator::kMirrorDigest;
  auto& topic = request.topics.emplace_back();
  topic.name = std::move(name);
  auto& asked = topic.partitions.emplace_back();
  asked.partition = partition;
  asked.offset = from;
  asked.end_offset = to;
  asked.digest_ranges = ranges;
  co_return co_await ask(std::move(request), deadline);
}

}  // namespace farshore::linker
