#include "tests/simulation/intruder.h"

#include "broker/broker.h"
#include "proto/batch/builder.h"
#include "proto/link/mirror_control.h"

namespace farshore::simulation {
namespace {

constexpr Duration kIntruderAnswerLimit = seconds(6);
constexpr int32_t kIntruderTimeoutMs = 5000;

}  // namespace

Task<void> Intruder::run() {
  while (!stop_) {
    auto done = co_await step();
    if (!done) client_.reset();
    co_await env_.sleep(milliseconds(random_.between(200, 3000)));
  }
  client_.reset();
  stopped_ = true;
}

bool Intruder::draw(Place& place) {
  if (!clusters_.west().up()) return false;
  std::vector<const broker::TopicImage*> mirrors;
  const auto image = clusters_.west().broker->image();
  for (const auto& entry : image->topics)
    if (entry.second->mirror && !entry.second->mirror->ended()) mirrors.push_back(entry.second.get());
  if (mirrors.empty()) return false;
  const broker::TopicImage& topic = *mirrors[random_.below(mirrors.size())];
  place.name = topic.name;
  place.link = topic.mirror->link;
  place.link_epoch = topic.mirror->link_epoch;
  place.topic = topic.id;
  place.partition = static_cast<int32_t>(random_.below(topic.partitions.size()));
  return true;
}

Task<Status> Intruder::step() {
  Place place;
  if (!draw(place)) co_return ok();
  if (!client_) {
    auto client = std::make_unique<broker::TestClient>(env_, kIntruderAnswerLimit);
    Endpoint to{kWest, 9092};
    CO_CHECK(co_await client->connect(std::move(to)));
    client_ = std::move(client);
  }
  CO_CHECK(co_await open(place));
  place.ended_session = place.session;
  CO_CHECK(co_await open(place));
  const bool old_session = random_.chance(0.5);
  ++tries_;
  const int64_t session = old_session ? place.ended_session : place.session;
  const int32_t epoch_before = old_session ? place.last_epoch : place.last_epoch + 1;
  CO_TRY(const int16_t code, co_await append(place, session, epoch_before));
  if (code == 0)
    clusters_.history().violation(place.name + "-" + std::to_string(place.partition) +
                                  (old_session ? ": the target took a batch of a session that had ended"
                                               : ": the target took a batch that follows another one than its last"));
  co_return ok();
}

Task<Status> Intruder::open(Place& place) {
  kafka::MirrorControlRequest request;
  request.link_id = place.link.value();
  request.link_epoch = place.link_epoch.value();
  request.timeout_ms = kIntruderTimeoutMs;
  request.op = wire_value(MirrorOperation::kOpen);
  auto& topic = request.topics.emplace_back();
  topic.topic_id = place.topic;
  topic.partitions.emplace_back().partition = place.partition;
  CO_TRY(auto response, co_await client_->call(std::move(request), kafka::MirrorControlRequest::kMaxVersion));
  if (response.topics.empty() || response.topics[0].partitions.empty() ||
      response.topics[0].partitions[0].error_code != 0)
    co_return Error(ErrorCode::kUnavailable, "not opened");
  const auto& opened = response.topics[0].partitions[0];
  place.session = opened.pump_session;
  place.end = opened.end_offset;
  place.last_epoch = opened.last_epoch;
  co_return ok();
}

Task<Result<int16_t>> Intruder::append(Place place, int64_t session, int32_t epoch_before) {
  BatchBuilder builder;
  builder.base_offset(place.end).leader_epoch(std::max(place.last_epoch, 0));
  builder.add(env_.wall_now().milliseconds_since_epoch, "intruder", "a record that no source ever had");
  const auto bytes = builder.build();
  kafka::MirrorAppendRequest request;
  request.link_id = place.link.value();
  request.link_epoch = place.link_epoch.value();
  request.timeout_ms = kIntruderTimeoutMs;
  auto& topic = request.topics.emplace_back();
  topic.topic_id = place.topic;
  auto& partition = topic.partitions.emplace_back();
  partition.partition = place.partition;
  partition.pump_session = session;
  partition.expected_end_offset = place.end;
  partition.previous_epoch = epoch_before;
  partition.source_high_watermark = place.end;
  partition.source_log_start = -1;
  partition.last_stable_offset = place.end;
  partition.source_leader_epoch = place.last_epoch;
  partition.records = kafka::Records::view(bytes);
  CO_TRY(auto response, co_await client_->call(std::move(request), 0));
  if (response.topics.empty() || response.topics[0].partitions.empty())
    co_return Error(ErrorCode::kCorrupt, "an answer about no partition");
  co_return response.topics[0].partitions[0].error_code;
}

}  // namespace farshore::simulation
