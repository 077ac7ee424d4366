#include "offsets/client/consumer/internal/group_member.h"

#include <array>
#include <optional>

#include "offsets/client/consumer/internal/continuation.h"

namespace farshore::client {
namespace {

constexpr int kCommittedTimeoutMs = 5000;
constexpr std::chrono::seconds kLeaveTimeout(3);

struct FreeList {
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
};
using List = std::unique_ptr<rd_kafka_topic_partition_list_t, FreeList>;
struct FreeConf {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, FreeConf>;
struct FreeQueue {
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
};
using Queue = std::unique_ptr<rd_kafka_queue_t, FreeQueue>;

// A library writes nothing to its application's stderr. Failures are reported by poll() and in events.
void no_log(const rd_kafka_t*, int, const char*, const char*) {}
void no_error(rd_kafka_t*, int, const char*, void*) {}

Problem set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, 512> text{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text.data(), text.size()) != RD_KAFKA_CONF_OK)
    return {Problem::Kind::kInvalid, name + "=" + value + ": " + text.data()};
  return {};
}

Problem failed(const char* what, rd_kafka_resp_err_t error) {
  const bool later =
      error == RD_KAFKA_RESP_ERR__TRANSPORT || error == RD_KAFKA_RESP_ERR__TIMED_OUT ||
      error == RD_KAFKA_RESP_ERR__WAIT_COORD || error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
      error == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE || error == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
      error == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS || error == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
  return {later ? Problem::Kind::kUnavailable : Problem::Kind::kFailed,
          std::string(what) + ": " + rd_kafka_err2str(error)};
}

}  // namespace

Problem check_properties(const std::map<std::string, std::string>& properties) {
  for (const char* name : {"bootstrap.servers", "metadata.broker.list", "group.id", "enable.auto.commit",
                           "enable.auto.offset.store", "enable.partition.eof", "partition.assignment.strategy"})
    if (properties.contains(name))
      return {Problem::Kind::kInvalid, std::string(name) + " cannot be given as a property"};
  Conf conf(rd_kafka_conf_new());
  for (const auto& [name, value] : properties)
    if (auto problem = set(conf.get(), name, value)) return problem;
  return {};
}

GroupMember::GroupMember(Options options) : options_(std::move(options)), positions_(options_.delivered) {}
GroupMember::~GroupMember() { close(false); }

std::unique_ptr<GroupMember> GroupMember::open(Options options, Problem& problem) {
  Conf conf(rd_kafka_conf_new());
  std::map<std::string, std::string> all = {{"auto.offset.reset", "earliest"}};
  for (const auto& [name, value] : options.properties) all[name] = value;
  all["bootstrap.servers"] = options.bootstrap;
  all["group.id"] = options.group;
  all["enable.auto.commit"] = "false";
  all["enable.auto.offset.store"] = "false";
  all["enable.partition.eof"] = "false";
  all["partition.assignment.strategy"] = "range,roundrobin";
  for (const auto& [name, value] : all) {
    problem = set(conf.get(), name, value);
    if (problem) return nullptr;
  }
  std::unique_ptr<GroupMember> member(new GroupMember(std::move(options)));
  rd_kafka_conf_set_opaque(conf.get(), member.get());
  rd_kafka_conf_set_log_cb(conf.get(), no_log);
  rd_kafka_conf_set_error_cb(conf.get(), no_error);
  rd_kafka_conf_set_rebalance_cb(conf.get(), rebalance);
  std::array<char, 512> text{};
  member->rk_ = rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), text.data(), text.size());
  if (!member->rk_) {
    problem = {Problem::Kind::kFailed, std::string("librdkafka: ") + text.data()};
    return nullptr;
  }
  (void)conf.release();  // librdkafka owns it now
  rd_kafka_poll_set_consumer(member->rk_);
  return member;
}

Problem GroupMember::subscribe() {
  List list(rd_kafka_topic_partition_list_new(static_cast<int>(options_.topics.size())));
  for (const auto& topic : options_.topics)
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  if (auto error = rd_kafka_subscribe(rk_, list.get())) return failed("subscribe", error);
  return {};
}

GroupMember::Message GroupMember::poll(std::chrono::milliseconds timeout) {
  Message message(rd_kafka_consumer_poll(rk_, static_cast<int>(timeout.count())));
  if (message && message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
    positions_[{rd_kafka_topic_name(message->rkt), message->partition}] = message->offset + 1;
  return message;
}

Problem GroupMember::commit(const Positions& positions, std::chrono::milliseconds timeout) {
  if (!rk_) return {Problem::Kind::kClosed, "closed"};
  if (positions.empty()) return {};
  List list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const auto& [key, position] : positions)
    rd_kafka_topic_partition_list_add(list.get(), key.first.c_str(), key.second)->offset = position;
  Queue queue(rd_kafka_queue_new(rk_));
  if (auto error = rd_kafka_commit_queue(rk_, list.get(), queue.get(), nullptr, nullptr))
    return failed("commit", error);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue.get(), static_cast<int>(timeout.count()));
  if (!event) return {Problem::Kind::kUnavailable, "commit: no answer in " + std::to_string(timeout.count()) + " ms"};
  rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  if (const auto* each = rd_kafka_event_topic_partition_list(event))
    for (int i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && i < each->cnt; ++i) error = each->elems[i].err;
  rd_kafka_event_destroy(event);
  return error == RD_KAFKA_RESP_ERR_NO_ERROR ? Problem{} : failed("commit", error);
}

void GroupMember::close(bool politely) {
  if (!rk_) return;
  if (politely) {
    Queue queue(rd_kafka_queue_new(rk_));
    if (auto* error = rd_kafka_consumer_close_queue(rk_, queue.get())) {
      rd_kafka_error_destroy(error);
    } else {
      const auto until = std::chrono::steady_clock::now() + kLeaveTimeout;
      while (!rd_kafka_consumer_closed(rk_) && std::chrono::steady_clock::now() < until)
        rd_kafka_queue_poll_callback(queue.get(), 50);
    }
  }
  rd_kafka_destroy_flags(rk_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  rk_ = nullptr;
}

Positions GroupMember::owned() const {
  Positions out;
  for (const auto& key : owned_)
    if (auto found = positions_.find(key); found != positions_.end()) out.insert(*found);
  return out;
}

void GroupMember::rebalance(rd_kafka_t* rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t* list,
                            void* self) {
  auto* member = static_cast<GroupMember*>(self);
  if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    member->assigned(list);
    rd_kafka_assign(rk, list);
    return;
  }
  // If partitions are lost because the cluster does not answer, they stay owned: a failover needs their positions.
  if (!rd_kafka_assignment_lost(rk)) member->revoked(list);
  rd_kafka_assign(rk, nullptr);
}

void GroupMember::assigned(rd_kafka_topic_partition_list_t* list) {
  owned_.clear();  // the assignors in use always assign the whole set
  List committed(rd_kafka_topic_partition_list_copy(list));
  const bool known = rd_kafka_committed(rk_, committed.get(), kCommittedTimeoutMs) == RD_KAFKA_RESP_ERR_NO_ERROR;
  for (int i = 0; i < list->cnt; ++i) {
    auto& partition = list->elems[i];
    const PartitionKey key(partition.topic, partition.partition);
    owned_.insert(key);
    std::optional<int64_t> before, stored;
    if (auto found = positions_.find(key); found != positions_.end()) before = found->second;
    if (known && committed->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR && committed->elems[i].offset >= 0)
      stored = committed->elems[i].offset;
    auto start = start_of(before, stored);
    if (!start) continue;  // librdkafka asks for the committed offset itself, or uses auto.offset.reset
    partition.offset = *start;
    positions_[key] = *start;
  }
}

void GroupMember::revoked(const rd_kafka_topic_partition_list_t* list) {
  for (int i = 0; i < list->cnt; ++i) owned_.erase({list->elems[i].topic, list->elems[i].partition});
}

}  // namespace farshore::client
