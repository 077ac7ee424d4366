#include "replicator/relay/target_questions.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "proto/kafka/constants.h"
#include "proto/kafka/messages/describe_producers.h"
#include "proto/kafka/messages/list_offsets.h"
#include "proto/kafka/messages/offset_for_leader_epoch.h"
#include "replicator/relay/target_memory.h"

namespace farshore::replicator {

namespace {

constexpr Duration kTogetherLimit = seconds(5);  // of one request; then each partition is asked about alone

const TopicPartition& asked_place(const TopicPartition& asked) { return asked; }
template <class Asked>
const TopicPartition& asked_place(const Asked& asked) {
  return asked.at;
}

// The questions of one request by topic and partition, and their answers, which begin as "left out".
template <class Answer, class Asked>
class Sheet {
 public:
  explicit Sheet(const std::vector<Asked>& asked) {
    for (size_t i = 0; i < asked.size(); ++i) {
      const TopicPartition& at = asked_place(asked[i]);
      // Asked twice in one turn, by two attempts: one of them is answered, the other asks alone.
      places_[at.topic].try_emplace(at.partition, i);
      answers_.push_back(Error(ErrorCode::kUnavailable, "the leader's answer leaves the partition out"));
    }
  }

  // fill(topic), and for each partition fill(topic entry, partition, index of the question).
  template <class NewTopic, class NewPartition>
  void write(NewTopic new_topic, NewPartition new_partition) const {
    for (const auto& [topic, partitions] : places_) {
      auto& entry = new_topic(topic);
      for (const auto& [partition, index] : partitions) new_partition(entry, partition, index);
    }
  }
  void set(std::string_view topic, int32_t partition, Result<Answer> answer) {
    auto in = places_.find(topic);
    if (in == places_.end()) return;
    if (auto at = in->second.find(partition); at != in->second.end()) answers_[at->second] = std::move(answer);
  }
  void set_all(const Error& error) {
    for (auto& answer : answers_) answer = error;
  }
  std::vector<Result<Answer>> take() { return std::move(answers_); }

 private:
  std::map<std::string, std::map<int32_t, size_t>, std::less<>> places_;
  std::vector<Result<Answer>> answers_;
};

// For Sheet::write: a new entry of a request's topics; its member `name` is the topic's name.
template <class Topics, class Entry, class Name>
auto entry_of(Topics& topics, Name Entry::*name) {
  return [&topics, name](const std::string& topic) -> Entry& {
    Entry& entry = topics.emplace_back();
    entry.*name = topic;
    return entry;
  };
}

// Of many partitions, to the broker that leads them.
template <class Request>
Task<Result<typename Request::Response>> ask_together(Env& env, kafka::ClusterClient& cluster, int32_t broker,
                                                      Request request) {
  const Deadline deadline = env.in(kTogetherLimit);
  CO_TRY(auto client, co_await cluster.broker(broker, deadline));
  co_return co_await client->call(std::move(request), deadline);
}

// Collects the partitions of one Fetch answer.
template <class Looks>
class LookVisitor final : public kafka::FetchVisitor {
 public:
  explicit LookVisitor(Looks& sheet) : sheet_(sheet) {}
  void on_response(const kafka::FetchResponse& head) override { refused_ = head.error_code != 0; }
  void on_partition(const kafka::FetchTopic&, const Partition& partition, size_t) override {
    read_ = {};
    bad_ = refused_ || partition.error_code != 0;
    read_.high_watermark = Offset(partition.high_watermark);
    read_.log_start = Offset(std::max<int64_t>(partition.log_start_offset, 0));
  }
  void on_batches(BatchRun run) override { read_.run.append(std::move(run)); }
  void on_bad_records(Error) override { bad_ = true; }
  void on_partition_end(const kafka::FetchTopic& topic, const Partition& partition, size_t) override {
    if (bad_ || partition.error_code != 0 || !verify_crc(read_.run)) return;
    sheet_.set(topic.name, partition.partition_index, std::move(read_));
  }
  void on_response_end(const std::vector<kafka::FetchResponse::NodeEndpoint>&) override {}

 private:
  Looks& sheet_;
  kafka::PartitionRead read_;
  bool bad_ = false, refused_ = false;
};

}  // namespace

TargetQuestions::TargetQuestions(Env& env, kafka::ClusterClient& cluster, Gate& gate)
    : env_(env),
      cluster_(cluster),
      starts_(env, gate, kQuestionsTogetherMax,
              [this](int32_t broker, std::vector<TopicPartition> asked) {
                return ask_offsets(broker, std::move(asked), kafka::kEarliestTimestamp);
              }),
      ends_(env, gate, kQuestionsTogetherMax,
            [this](int32_t broker, std::vector<TopicPartition> asked) {
              return ask_offsets(broker, std::move(asked), kafka::kLatestTimestamp);
            }),
      producers_(env, gate, kQuestionsTogetherMax,
                 [this](int32_t broker, std::vector<TopicPartition> asked) {
                   return ask_producers(broker, std::move(asked));
                 }),
      epochs_(env, gate, kQuestionsTogetherMax,
              [this](int32_t broker, std::vector<EpochAsked> asked) { return ask_epochs(broker, std::move(asked)); }),
      looks_(env, gate, kQuestionsTogetherMax,
             [this](int32_t broker, std::vector<LookAsked> asked) { return ask_looks(broker, std::move(asked)); }) {}

int32_t TargetQuestions::leader_of(const TopicPartition& at) const {
  const std::shared_ptr<const kafka::ClusterView> view = cluster_.view();
  const auto* found = view->partition(at.topic, at.partition);
  return found ? found->leader : -1;
}

Task<Result<TargetOffset>> TargetQuestions::offset(TopicPartition at, kafka::OffsetOf which, Deadline deadline) {
  auto& together = which == kafka::OffsetOf::kLogStart ? starts_ : ends_;
  if (const int32_t leader = leader_of(at); leader >= 0) {
    auto answer = co_await together.ask(leader, at, deadline);
    if (answer || answer.error() == ErrorCode::kClosed) co_return answer;
  }
  CO_TRY(Offset found, co_await kafka::partition_offset(cluster_, std::move(at), which, deadline));
  co_return TargetOffset(found.value());
}

Task<Result<TargetOffset>> TargetQuestions::log_start(TopicPartition at, Deadline deadline) {
  return offset(std::move(at), kafka::OffsetOf::kLogStart, deadline);
}

Task<Result<TargetOffset>> TargetQuestions::high_watermark(TopicPartition at, Deadline deadline) {
  return offset(std::move(at), kafka::OffsetOf::kEnd, deadline);
}

Task<Result<std::vector<RememberedProducer>>> TargetQuestions::remembered(TopicPartition at, Deadline deadline) {
  if (const int32_t leader = leader_of(at); leader >= 0) {
    auto answer = co_await producers_.ask(leader, at, deadline);
    if (answer || answer.error() == ErrorCode::kClosed) co_return answer;
  }
  co_return co_await remembered_producers(cluster_, std::move(at), deadline);
}

Task<Result<std::optional<TargetOffset>>> TargetQuestions::end_of_epoch(TopicPartition at, LeadershipEpoch epoch,
                                                                        Deadline deadline) {
  if (const int32_t leader = leader_of(at); leader >= 0) {
    EpochAsked asked{at, epoch};
    auto answer = co_await epochs_.ask(leader, std::move(asked), deadline);
    if (answer || answer.error() == ErrorCode::kClosed) co_return answer;
  }
  co_return co_await farshore::replicator::end_of_epoch(cluster_, std::move(at), epoch, deadline);
}

Task<Result<kafka::PartitionRead>> TargetQuestions::look(TopicPartition at, Offset from, Deadline deadline) {
  const int32_t leader = leader_of(at);
  if (leader < 0) co_return Error(ErrorCode::kUnavailable, "no leader is known");
  LookAsked asked{std::move(at), from};
  co_return co_await looks_.ask(leader, std::move(asked), deadline);
}

Task<std::vector<Result<TargetOffset>>> TargetQuestions::ask_offsets(int32_t broker, std::vector<TopicPartition> asked,
                                                                     int64_t timestamp) {
  Sheet<TargetOffset, TopicPartition> sheet(asked);
  kafka::ListOffsetsRequest request;
  using Topic = decltype(request.topics)::value_type;
  request.replica_id = -1;
  sheet.write(entry_of(request.topics, &Topic::name), [&](auto& entry, int32_t partition, size_t) {
    auto& one = entry.partitions.emplace_back();
    one.partition_index = partition;
    one.timestamp = timestamp;
  });
  auto response = co_await ask_together(env_, cluster_, broker, std::move(request));
  if (!response) co_return sheet.take();
  for (const auto& topic : response->topics)
    for (const auto& each : topic.partitions)
      if (each.error_code == 0) sheet.set(topic.name, each.partition_index, TargetOffset(each.offset));
  co_return sheet.take();
}

Task<std::vector<Result<std::vector<RememberedProducer>>>> TargetQuestions::ask_producers(
    int32_t broker, std::vector<TopicPartition> asked) {
  Sheet<Producers, TopicPartition> sheet(asked);
  kafka::DescribeProducersRequest request;
  using Topic = decltype(request.topics)::value_type;
  sheet.write(entry_of(request.topics, &Topic::name),
              [](auto& entry, int32_t partition, size_t) { entry.partition_indexes.push_back(partition); });
  auto response = co_await ask_together(env_, cluster_, broker, std::move(request));
  if (!response) co_return sheet.take();
  for (const auto& topic : response->topics) {
    for (const auto& each : topic.partitions) {
      if (each.error_code != 0) continue;
      Producers found;
      for (const auto& producer : each.active_producers)
        found.push_back(
            {{producer.producer_id, static_cast<int16_t>(producer.producer_epoch)}, producer.last_sequence});
      sheet.set(topic.name, each.partition_index, std::move(found));
    }
  }
  co_return sheet.take();
}

Task<std::vector<Result<std::optional<TargetOffset>>>> TargetQuestions::ask_epochs(int32_t broker,
                                                                                   std::vector<EpochAsked> asked) {
  Sheet<EpochEnd, EpochAsked> sheet(asked);
  kafka::OffsetForLeaderEpochRequest request;
  using Topic = decltype(request.topics)::value_type;
  request.replica_id = -1;
  sheet.write(entry_of(request.topics, &Topic::topic), [&](auto& entry, int32_t partition, size_t index) {
    auto& one = entry.partitions.emplace_back();
    one.partition = partition;
    one.leader_epoch = asked[index].epoch.value();
  });
  auto response = co_await ask_together(env_, cluster_, broker, std::move(request));
  if (!response) co_return sheet.take();
  for (const auto& topic : response->topics) {
    for (const auto& each : topic.partitions) {
      EpochEnd end;
      if (each.end_offset >= 0) end = TargetOffset(each.end_offset);
      if (each.error_code == 0) sheet.set(topic.topic, each.partition, end);
    }
  }
  co_return sheet.take();
}

Task<std::vector<Result<kafka::PartitionRead>>> TargetQuestions::ask_looks(int32_t broker,
                                                                           std::vector<LookAsked> asked) {
  Sheet<kafka::PartitionRead, LookAsked> sheet(asked);
  kafka::FetchRequest request;
  using Topic = decltype(request.topics)::value_type;
  request.max_wait_ms = 0;  // on the shared connection no request may wait
  request.min_bytes = 0;
  request.max_bytes = kLookAnswerBytesMax;
  sheet.write(entry_of(request.topics, &Topic::topic), [&](auto& entry, int32_t partition, size_t index) {
    auto& one = entry.partitions.emplace_back();
    one.partition = partition;
    one.fetch_offset = asked[index].from.value();
    one.partition_max_bytes = kLookBytesMax;
  });
  const Deadline deadline = env_.in(kTogetherLimit);
  auto client = co_await cluster_.broker(broker, deadline);
  if (!client) co_return sheet.take();
  LookVisitor visitor(sheet);
  SlabWriter slabs(arena_);
  auto fetched =
      co_await (*client)->fetch(std::move(request), slabs, nullptr, visitor, deadline, kafka::kFetchByNameVersionMax);
  if (!fetched) sheet.set_all(Error(ErrorCode::kUnavailable, fetched.error().to_string()));
  co_return sheet.take();
}

}  // namespace farshore::replicator
