#include "offsets/client/consumer/internal/group_member.h"

#include <algorithm>
#include <array>
#include <utility>

#include "offsets/client/consumer/internal/continuation.h"
#include "offsets/client/consumer/internal/kafka_problem.h"

namespace farshore::client {
namespace {

using Millis = std::chrono::milliseconds;
// Of a start: it delays poll(), with its caller's lock held. However many partitions it has, all questions share it.
constexpr Millis kStartMax(2000);
constexpr Millis kCommittedMax(1000);  // of it, to ask what the group has committed
constexpr Millis kStartAgain(500);     // from a start that failed to the next one
constexpr std::chrono::seconds kLeaveTimeout(3);
constexpr size_t kComplaintsMax = 32;  // the newer ones are left out: librdkafka repeats them

int member_ms(Millis time) { return static_cast<int>(std::max(time, Millis(1)).count()); }
Millis member_now() { return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch()); }

// A library writes nothing to its application's stderr. Failures are reported by poll() and in events.
void no_log(const rd_kafka_t*, int, const char*, const char*) {}

std::string name_of(const PartitionKey& key) { return key.first + "[" + std::to_string(key.second) + "]"; }

}  // namespace

GroupMember::GroupMember(Options options)
    : options_(std::move(options)),
      first_(options_.moved ? FirstOffset::kEarliest : first_offset(options_.properties)),
      assignment_(options_.moved ? std::optional(options_.kept) : std::nullopt),
      positions_(options_.delivered),
      carried_(options_.carried) {}

GroupMember::~GroupMember() { close(false); }

std::unique_ptr<GroupMember> GroupMember::open(Options options, Problem& problem) {
  Properties ours = {{"bootstrap.servers", options.bootstrap}, {"group.id", options.group},
                     {"enable.auto.commit", "false"},          {"enable.auto.offset.store", "false"},
                     {"enable.partition.eof", "false"},        {"partition.assignment.strategy", "range,roundrobin"}};
  // After a move, "latest" would skip records that were mirrored and that nobody has read.
  if (options.moved) ours["auto.offset.reset"] = "earliest";
  if (!options.client_id.empty()) ours["client.id"] = options.client_id;
  KafkaConf conf = member_conf(options.properties, ours, problem);
  if (!conf) return nullptr;
  std::unique_ptr<GroupMember> member(new GroupMember(std::move(options)));
  rd_kafka_conf_set_opaque(conf.get(), member.get());
  rd_kafka_conf_set_log_cb(conf.get(), no_log);
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  rd_kafka_conf_set_rebalance_cb(conf.get(), on_rebalance);
  std::array<char, 512> text{};
  rd_kafka_t* rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), text.data(), text.size());
  if (!rk) {
    problem = Problem(Problem::Kind::kFailed, member->options_.where + ": librdkafka: " + text.data());
    return nullptr;
  }
  (void)conf.release();  // librdkafka owns it now
  member->rk_ =
      KafkaHandle(rk, [](rd_kafka_t* last) { rd_kafka_destroy_flags(last, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); });
  rd_kafka_poll_set_consumer(rk);
  return member;
}

Problem GroupMember::subscribe() {
  KafkaList list(rd_kafka_topic_partition_list_new(static_cast<int>(options_.topics.size())));
  for (const auto& topic : options_.topics)
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  if (auto error = rd_kafka_subscribe(rk_.get(), list.get()))
    return kafka_problem(options_.where + ": subscribe", error);
  subscribed_ = true;
  return {};
}

KafkaMessage GroupMember::poll(Millis timeout) {
  start_partitions();
  KafkaMessage message(rd_kafka_consumer_poll(rk_.get(), static_cast<int>(timeout.count())));
  if (message && message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
    positions_[{rd_kafka_topic_name(message->rkt), message->partition}] = message->offset + 1;
  return message;
}

Problem GroupMember::problem_of(const rd_kafka_message_t& message) const {
  return kafka_problem(options_.where, message.err, message.payload ? rd_kafka_message_errstr(&message) : "");
}

void GroupMember::complain(Problem problem) {
  if (complaints_.size() < kComplaintsMax) complaints_.push_back(std::move(problem));
}

std::optional<Problem> GroupMember::complaint() {
  if (complaints_.empty()) return std::nullopt;
  Problem out = std::move(complaints_.front());
  complaints_.pop_front();
  return out;
}

void GroupMember::raise_committed(const PartitionKey& key, int64_t offset) {
  int64_t& known = committed_.try_emplace(key, offset).first->second;
  known = std::max(known, offset);
}

PendingCommit GroupMember::commit(Problem& problem) {
  Positions now;
  for (const auto& key : assignment_.begun())
    if (auto found = positions_.find(key); found != positions_.end()) now.insert(*found);
  for (const auto& [key, position] : now) {
    raise_committed(key, position);
    carried_.erase(key);
  }
  // After a move, partitions that are not read here yet: the commit is stored as soon as they are.
  bool later = false;
  if (!assignment_.complete()) {
    for (const auto& key : options_.kept) {
      auto found = options_.delivered.find(key);
      if (found == options_.delivered.end() || now.contains(key)) continue;
      carried_[key] = found->second;
      raise_committed(key, found->second);
      later = true;
    }
  }
  if (later)
    problem = Problem(Problem::Kind::kUnavailable,
                      "commit: the group at the " + options_.where +
                          " has not given this member its partitions yet; the commit is stored when it has");
  return PendingCommit(rk_, now);
}

Problem GroupMember::commit_carried(Millis timeout) {
  Positions wanted;
  for (const auto& [key, offset] : carried_)
    if (!subscribed_ || assignment_.begun().contains(key)) wanted[key] = offset;
  if (assignment_.complete())  // another member has it, and commits what it reads itself
    std::erase_if(carried_, [&](const auto& each) { return !assignment_.owned().contains(each.first); });
  if (wanted.empty()) return {};
  const Millis until = member_now() + timeout;
  KafkaList known = kafka_list(wanted);
  if (auto error = rd_kafka_committed(rk_.get(), known.get(), static_cast<int>(timeout.count() / 2)))
    return kafka_problem(options_.where + ": the group's committed offsets", error);
  for (int i = 0; i < known->cnt; ++i) {
    const auto& each = known->elems[i];
    const PartitionKey key(each.topic, each.partition);
    if (each.err) return kafka_problem(options_.where + ": the committed offset of " + name_of(key), each.err);
    if (each.offset >= wanted[key]) {
      wanted.erase(key);
      carried_.erase(key);
    }
  }
  if (wanted.empty()) return {};
  PendingCommit commit(rk_, wanted);
  if (auto problem = commit.wait(std::max(until - member_now(), Millis(100)))) return problem;
  for (const auto& [key, offset] : wanted) carried_.erase(key);
  return {};
}

void GroupMember::close(bool politely) {
  if (!rk_) return;
  if (politely && subscribed_) {
    KafkaQueue queue(rd_kafka_queue_new(rk_.get()));
    if (auto* error = rd_kafka_consumer_close_queue(rk_.get(), queue.get())) {
      rd_kafka_error_destroy(error);
    } else {
      const auto until = std::chrono::steady_clock::now() + kLeaveTimeout;
      while (!rd_kafka_consumer_closed(rk_.get()) && std::chrono::steady_clock::now() < until) {
        // The queue also holds records that were not polled. They come as events here; as callbacks they would abort.
        KafkaEvent event(rd_kafka_queue_poll(queue.get(), 50));
        if (event && rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_REBALANCE) rd_kafka_assign(rk_.get(), nullptr);
      }
    }
  }
  rk_.reset();  // a commit that is waited for keeps it until it ends
}

std::string GroupMember::member_id() const {
  if (!rk_) return {};
  char* id = rd_kafka_memberid(rk_.get());
  std::string out = id ? id : "";
  if (id) rd_kafka_mem_free(rk_.get(), id);
  return out;
}

void GroupMember::on_error(rd_kafka_t* rk, int err, const char* reason, void* opaque) {
  auto* self = static_cast<GroupMember*>(opaque);
  auto error = static_cast<rd_kafka_resp_err_t>(err);
  std::array<char, 512> text{};
  std::string words = reason ? reason : "";
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    error = rd_kafka_fatal_error(rk, text.data(), text.size());
    words = text.data();
  } else if (!needs_a_person(error) && error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    return;  // librdkafka repairs it by itself; what lasts, the watch reports
  }
  Problem problem = kafka_problem(self->options_.where, error, words);
  problem.fatal = problem.fatal || static_cast<rd_kafka_resp_err_t>(err) == RD_KAFKA_RESP_ERR__FATAL;
  self->complain(std::move(problem));
}

void GroupMember::on_rebalance(rd_kafka_t* rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t* list,
                               void* opaque) {
  auto* self = static_cast<GroupMember*>(opaque);
  if (err != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    self->assignment_.taken();
    rd_kafka_assign(rk, nullptr);
    return;
  }
  std::set<PartitionKey> partitions;
  for (int i = 0; i < list->cnt; ++i) partitions.emplace(list->elems[i].topic, list->elems[i].partition);
  self->assignment_.given(std::move(partitions), member_now());
  self->start_again_at_ = Millis(0);
  KafkaList none(rd_kafka_topic_partition_list_new(0));
  rd_kafka_assign(rk, none.get());  // poll() starts them
}

// A partition starts only when it is known what the group has committed: a start below that would repeat records, and
// the next commit would lower the group's.
void GroupMember::start_partitions() {
  if (member_now() < start_again_at_) return;
  const Millis until = member_now() + kStartMax;
  const auto keys = assignment_.may_start(member_now());
  if (keys.empty()) return;
  start_again_at_ = member_now() + kStartAgain;
  Positions unknown;
  for (const auto& key : keys) unknown[key] = RD_KAFKA_OFFSET_INVALID;
  KafkaList committed = kafka_list(unknown);
  const std::string what = options_.where + ": where to start: ";
  if (auto error = rd_kafka_committed(rk_.get(), committed.get(), member_ms(kCommittedMax)))
    return complain(kafka_problem(what + "the group's committed offsets", error));
  Positions starts;
  std::vector<PartitionKey> fresh;  // nothing is known of them
  for (int i = 0; i < committed->cnt; ++i) {
    const auto& each = committed->elems[i];
    const PartitionKey key(each.topic, each.partition);
    if (each.err) {
      complain(kafka_problem(what + "the committed offset of " + name_of(key), each.err));
      continue;
    }
    std::optional<int64_t> before, stored;
    if (auto found = positions_.find(key); found != positions_.end()) before = found->second;
    if (each.offset >= 0) stored = each.offset;
    if (stored) raise_committed(key, *stored);
    if (auto start = start_of(before, stored))
      starts[key] = *start;
    else
      fresh.push_back(key);
  }
  starts.merge(first_offsets(fresh, until));
  for (const auto& [key, start] : starts) {
    if (start >= 0) positions_[key] = start;
    assignment_.started(key);
  }
  if (starts.empty()) return;
  Positions all;
  for (const auto& key : assignment_.reading()) {
    auto found = positions_.find(key);
    all[key] = found == positions_.end() ? int64_t{RD_KAFKA_OFFSET_INVALID} : found->second;
  }
  KafkaList list = kafka_list(all);
  if (auto error = rd_kafka_assign(rk_.get(), list.get())) complain(kafka_problem(what + "assign", error));
}

// Where partitions begin of which nothing is known. Negative: librdkafka reports that there is no offset. What could
// not be told until `until` is left out. All are asked for at once; one that has no leader fails this question, so what
// it left open is asked for one by one, from another partition on each time.
Positions GroupMember::first_offsets(const std::vector<PartitionKey>& keys, Millis until) {
  Positions asked;
  const bool earliest = first_ == FirstOffset::kEarliest;
  for (const auto& key : keys)
    asked[key] = first_ == FirstOffset::kError ? RD_KAFKA_OFFSET_INVALID
                 : earliest                    ? RD_KAFKA_OFFSET_BEGINNING
                                               : RD_KAFKA_OFFSET_END;
  if (keys.empty() || first_ == FirstOffset::kError) return asked;
  Positions out;
  KafkaList list = kafka_list(asked);
  if (!rd_kafka_offsets_for_times(rk_.get(), list.get(), member_ms((until - member_now()) / 2))) {
    for (int i = 0; i < list->cnt; ++i)
      if (const auto& each = list->elems[i]; !each.err && each.offset >= 0)
        out[{each.topic, each.partition}] = each.offset;
  }
  for (size_t i = 0; i < keys.size() && member_now() < until; ++i) {
    const auto& key = keys[first_alone_ % keys.size()];
    if (!out.contains(key)) {
      if (auto alone = first_offset_of(key, until - member_now())) out[key] = *alone;
    }
    ++first_alone_;
  }
  if (!earliest)
    for (const auto& [key, end] : out) raise_committed(key, end);
  return out;
}

// nullopt: not known yet.
std::optional<int64_t> GroupMember::first_offset_of(const PartitionKey& key, Millis timeout) {
  int64_t low = -1, high = -1;
  if (auto error =
          rd_kafka_query_watermark_offsets(rk_.get(), key.first.c_str(), key.second, &low, &high, member_ms(timeout))) {
    complain(kafka_problem(options_.where + ": where to start: the offsets of " + name_of(key), error));
    return std::nullopt;
  }
  return first_ == FirstOffset::kEarliest ? low : high;
}

}  // namespace farshore::client
