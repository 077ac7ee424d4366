#include "proto/link/client/mirror_client.h"

#include <algorithm>

#include "base/side_by_side.h"

namespace farshore {
namespace {

using kafka::Repeat;

using Answers = std::vector<Result<MirrorTopicAnswer>>;

constexpr size_t kRequestsAtOnce = 4;        // that describe; over a long way each of them is a round trip
constexpr size_t kCreateRequestsAtOnce = 2;  // few: others wait behind them on the same connection
constexpr size_t kTopicsPerCreate = 16;      // the cluster makes them one after the other, each with a sync of its disk
constexpr int32_t kPartitionsPerCreate = 500;

constexpr int64_t kRequestLifeMs = std::chrono::duration_cast<milliseconds>(MirrorClient::kRequestLife).count();

Result<MirrorTopicAnswer> the_only_topic(kafka::MirrorControlResponse response, size_t partitions_asked) {
  if (response.error_code != 0) return mirror_error(response.error_code, response.error_message);
  if (response.topics.size() != 1) return Error(ErrorCode::kCorrupt, "an answer about another number of topics");
  MirrorTopicAnswer answer = std::move(response.topics.front());
  if (answer.error_code != 0) return mirror_error(answer.error_code, answer.error_message);
  if (answer.partitions.size() < partitions_asked)
    return Error(ErrorCode::kCorrupt, "an answer that leaves partitions out");
  return answer;
}

}  // namespace

MirrorClient::Request MirrorClient::request(MirrorOperation operation) const {
  Request request;
  request.op = wire_value(operation);
  request.timeout_ms = static_cast<int32_t>(std::chrono::duration_cast<milliseconds>(broker_limit_).count());
  return request;
}

Task<Result<MirrorTopicAnswer>> MirrorClient::ask_one(Request request, Deadline deadline) {
  const size_t asked = request.topics.front().partitions.size();
  auto response = co_await cluster_.call_any(std::move(request), Repeat::kYes, deadline);
  if (!response) co_return std::move(response).error();
  co_return the_only_topic(std::move(*response), asked);
}

Task<Result<int64_t>> MirrorClient::prompt_clock(StillWanted wanted, Deadline deadline) {
  Env& env = cluster_.env();
  for (int tries = 1;; ++tries) {
    const MonoTime asked = env.now();
    Request about_no_topic = request(MirrorOperation::kDescribe);
    CO_TRY(auto answer, co_await cluster_.call_any(std::move(about_no_topic), Repeat::kYes, deadline));
    const bool prompt = env.now() - asked <= kPrompt;
    if (!prompt && wanted) co_await env.sleep(kPrompt);
    if (wanted && !wanted()) co_return Error(ErrorCode::kClosed, "given up by who asked for it; nothing was done");
    if (prompt || !wanted || tries >= kSlowAnswersMax) co_return answer.now_ms;
  }
}

Task<Result<MirrorTopicAnswer>> MirrorClient::ask_soon(Request request, StillWanted wanted, Deadline deadline) {
  const size_t asked = request.topics.front().partitions.size();
  for (int attempt = 0;; ++attempt) {
    CO_TRY(const int64_t now_ms, co_await prompt_clock(wanted, deadline));
    request.valid_until_ms = now_ms < 0 ? -1 : now_ms + kRequestLifeMs;
    Request copy = request;
    auto response = co_await cluster_.call_any(std::move(copy), Repeat::kNo, deadline);
    if (response && response->error_code != static_cast<int16_t>(kafka::ErrorCode::kRequestTimedOut))
      co_return the_only_topic(std::move(*response), asked);
    Error last = response ? mirror_error(response->error_code, response->error_message) : std::move(response).error();
    if (!response && !kafka::connection_failed(last)) co_return last;
    auto paused = co_await cluster_.pause(attempt, deadline);
    if (!paused) co_return last;
  }
}

Task<Result<MirrorClient::ClusterFacts>> MirrorClient::cluster(Deadline deadline) {
  Request about_no_topic = request(MirrorOperation::kDescribe);
  auto response = co_await cluster_.call_any(std::move(about_no_topic), Repeat::kYes, deadline);
  if (!response) co_return std::move(response).error();
  ClusterFacts facts;
  facts.incarnation = response->incarnation;
  facts.producer_id_salt = std::max<int64_t>(0, response->producer_id_salt);
  co_return facts;
}

namespace {

void put_topic(MirrorClient::NewMirror mirror, kafka::MirrorControlRequest::MirrorControlTopic& topic) {
  topic.name = std::move(mirror.topic);
  topic.source_cluster_id = mirror.source_cluster_id.value();
  topic.source_topic = std::move(mirror.source_topic);
  topic.source_topic_id = mirror.source_topic_id.value();
  for (const auto& cluster : mirror.provenance) topic.source_provenance.push_back(cluster.value());
  topic.num_partitions = mirror.partitions;
  for (const auto& [name, value] : mirror.configs) {
    auto& config = topic.configs.emplace_back();
    config.name = name;
    config.value = value;
  }
}

// The beginnings of requests for topics with so many partitions, and the end of the last one.
std::vector<size_t> cut(const std::vector<int32_t>& partitions, size_t topics_max, int32_t partitions_max) {
  std::vector<size_t> cuts{0};
  int64_t sum = 0;
  for (size_t at = 0; at < partitions.size(); ++at) {
    sum += partitions[at];
    const bool full = at - cuts.back() == topics_max || sum > partitions_max;
    if (!full || at == cuts.back()) continue;
    cuts.push_back(at);
    sum = partitions[at];
  }
  if (!partitions.empty()) cuts.push_back(partitions.size());
  return cuts;
}

}  // namespace

Task<void> MirrorClient::create_some(Request create, Answers& out, size_t at, Deadline deadline) {
  const auto names = create.topics;
  auto response = co_await cluster_.call_any(std::move(create), Repeat::kYes, deadline);
  Error failed;
  if (!response)
    failed = std::move(response).error();
  else if (response->error_code != 0)
    failed = mirror_error(response->error_code, response->error_message);
  else if (response->topics.size() != names.size())
    failed = Error(ErrorCode::kCorrupt, "an answer about another number of topics");
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string where = "mirror topic " + names[i].name.value_or("");
    if (failed.code != ErrorCode::kNone) {
      out[at + i] = Error(failed).in(where);
      continue;
    }
    MirrorTopicAnswer& answer = response->topics[i];
    if (answer.error_code != 0)
      out[at + i] = mirror_error(answer.error_code, answer.error_message).in(where);
    else
      out[at + i] = std::move(answer);
  }
}

Task<Answers> MirrorClient::create_all(LinkId link, LinkEpoch epoch, std::vector<NewMirror> mirrors, bool dry_run,
                                       Deadline deadline) {
  Answers out(mirrors.size(), Error(ErrorCode::kInternal, "not asked"));
  std::vector<int32_t> partitions;
  for (const auto& mirror : mirrors) partitions.push_back(mirror.partitions);
  const auto cuts = cut(partitions, kTopicsPerCreate, kPartitionsPerCreate);
  OneOfMany one_request = [&](size_t i) {
    Request create = request(MirrorOperation::kCreateTopic);
    create.link_id = link.value();
    create.link_epoch = epoch.value();
    create.dry_run = dry_run;
    for (size_t at = cuts[i]; at < cuts[i + 1]; ++at) put_topic(std::move(mirrors[at]), create.topics.emplace_back());
    return create_some(std::move(create), out, cuts[i], deadline);
  };
  co_await side_by_side(cluster_.env(), cuts.size() - 1, kCreateRequestsAtOnce, std::move(one_request));
  co_return out;
}

Task<Result<MirrorTopicAnswer>> MirrorClient::end(LinkId link, LinkEpoch epoch, TargetTopicId id,
                                                  std::optional<std::map<int32_t, int64_t>> ends, bool dry_run,
                                                  StillWanted wanted, Deadline deadline) {
  Request end = request(ends ? MirrorOperation::kPromote : MirrorOperation::kFailover);
  end.link_id = link.value();
  end.link_epoch = epoch.value();
  end.dry_run = dry_run;
  auto& topic = end.topics.emplace_back();
  topic.topic_id = id.value();
  if (ends) {
    for (const auto& [partition, offset] : *ends) {
      auto& asked = topic.partitions.emplace_back();
      asked.partition = partition;
      asked.end_offset = offset;
    }
  }
  co_return co_await ask_soon(std::move(end), std::move(wanted), deadline);
}

Task<Result<MirrorTopicAnswer>> MirrorClient::describe(std::string name, int32_t partitions, Deadline deadline) {
  Request describe = request(MirrorOperation::kDescribe);
  auto& topic = describe.topics.emplace_back();
  topic.name = std::move(name);
  for (int32_t p = 0; p < partitions; ++p) topic.partitions.emplace_back().partition = p;
  co_return co_await ask_one(std::move(describe), deadline);
}

Task<Result<MirrorTopicAnswer>> MirrorClient::describe_partition(std::string name, int32_t partition,
                                                                 Deadline deadline) {
  Request describe = request(MirrorOperation::kDescribe);
  auto& topic = describe.topics.emplace_back();
  topic.name = std::move(name);
  topic.partitions.emplace_back().partition = partition;
  co_return co_await ask_one(std::move(describe), deadline);
}

std::vector<size_t> MirrorClient::cut_describe(const std::vector<std::pair<std::string, int32_t>>& topics) {
  std::vector<int32_t> partitions;
  for (const auto& topic : topics) partitions.push_back(topic.second);
  return cut(partitions, kTopicsPerRequest, kPartitionsPerRequest);
}

Task<void> MirrorClient::describe_some(Request describe, std::vector<MirrorTopicAnswer>& out, size_t at, Status& failed,
                                       Deadline deadline) {
  if (!failed) co_return;
  const size_t asked = describe.topics.size();
  auto response = co_await cluster_.call_any(std::move(describe), Repeat::kYes, deadline);
  if (!response)
    failed = std::move(response).error();
  else if (response->error_code != 0)
    failed = mirror_error(response->error_code, response->error_message);
  else if (response->topics.size() != asked)
    failed = Error(ErrorCode::kCorrupt, "an answer about another number of topics");
  else
    std::move(response->topics.begin(), response->topics.end(), out.begin() + static_cast<ptrdiff_t>(at));
}

Task<Result<std::vector<MirrorTopicAnswer>>> MirrorClient::describe_all(
    std::vector<std::pair<std::string, int32_t>> topics, Deadline deadline) {
  std::vector<MirrorTopicAnswer> out(topics.size());
  Status failed;
  const auto cuts = cut_describe(topics);
  OneOfMany one_request = [&](size_t i) {
    Request describe = request(MirrorOperation::kDescribe);
    for (size_t at = cuts[i]; at < cuts[i + 1]; ++at) {
      auto& topic = describe.topics.emplace_back();
      topic.name = topics[at].first;
      for (int32_t p = 0; p < topics[at].second; ++p) topic.partitions.emplace_back().partition = p;
    }
    return describe_some(std::move(describe), out, cuts[i], failed, deadline);
  };
  co_await side_by_side(cluster_.env(), cuts.size() - 1, kRequestsAtOnce, std::move(one_request));
  if (!failed) co_return std::move(failed).error();
  co_return out;
}

Task<Result<std::vector<MirrorTopicAnswer>>> MirrorClient::mirrors_of(LinkId link, Deadline deadline) {
  CO_TRY(auto view, co_await cluster_.refresh_all(deadline));
  std::vector<std::pair<std::string, int32_t>> topics;
  for (const auto& [name, topic] : view->topics)
    if (topic.error_code == 0) topics.emplace_back(name, static_cast<int32_t>(topic.partitions.size()));
  auto answers = co_await describe_all(std::move(topics), deadline);
  if (!answers) co_return std::move(answers).error().in("mirror topics");
  std::erase_if(*answers, [link](const MirrorTopicAnswer& answer) {
    return answer.error_code != 0 || role_of(answer) == MirrorRole::kNotMirror || LinkId(answer.link_id) != link;
  });
  co_return answers;
}

Task<Result<MirrorTopicAnswer>> MirrorClient::set_fence(FenceOrder order, StillWanted wanted, Deadline deadline) {
  Request set = request(MirrorOperation::kSetReadOnly);
  set.link_id = order.link.value();
  set.link_epoch = order.number.epoch.value();
  auto& topic = set.topics.emplace_back();
  topic.name = std::move(order.topic);
  topic.fence_attempt = order.number.attempt;
  if (order.lasts >= Duration::zero()) topic.fence_ms = std::chrono::duration_cast<milliseconds>(order.lasts).count();
  topic.partitions.emplace_back().read_only = order.holds;
  co_return co_await ask_soon(std::move(set), std::move(wanted), deadline);
}

Task<Result<MirrorTopicAnswer>> MirrorClient::digest(std::string name, int32_t partition, int64_t from, int64_t to,
                                                     int32_t ranges, Deadline deadline) {
  Request digest = request(MirrorOperation::kDigest);
  auto& topic = digest.topics.emplace_back();
  topic.name = std::move(name);
  auto& asked = topic.partitions.emplace_back();
  asked.partition = partition;
  asked.offset = from;
  asked.end_offset = to;
  asked.digest_ranges = ranges;
  co_return co_await ask_one(std::move(digest), deadline);
}

}  // namespace farshore
