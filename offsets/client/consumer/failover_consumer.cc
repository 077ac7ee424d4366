#include "offsets/client/consumer/failover_consumer.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>

#include "offsets/client/consumer/internal/delivered_record.h"
#include "offsets/client/consumer/internal/failover_rule.h"
#include "offsets/client/consumer/internal/group_member.h"
#include "offsets/client/consumer/internal/joining.h"
#include "offsets/client/consumer/internal/place_finder.h"
#include "offsets/client/consumer/internal/said_problems.h"
#include "offsets/client/target/mirror_watch.h"

namespace farshore::client {
namespace {

using Millis = std::chrono::milliseconds;
constexpr Millis kSlice(100);        // the longest single poll of librdkafka: it delays a failover and other threads
constexpr Millis kLookAgain(10);     // from one look at the clusters' answers to the next one
constexpr Millis kIdle(20);          // while there is nothing to poll
constexpr Millis kTranslate(10000);  // to translate all positions, on a relay link
constexpr Millis kMoveAgain(1000);   // from a failed move to the next attempt
constexpr Millis kCarryAgain(1000);  // from one attempt to commit what a move carried to the next one
constexpr Millis kCarry(2000);       // of one attempt
constexpr Millis kAlive(3000);       // a source that was seen within this time is told that the member leaves
constexpr Millis kTimeoutMax = std::chrono::hours(24);  // longer ones are this long

Millis steady_ms() { return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch()); }

Properties merged(Properties all, const Properties& of_one) {
  for (const auto& [name, value] : of_one) all[name] = value;
  return all;
}

Problem check_config(const FailoverConsumerConfig& config) {
  const auto invalid = [](const char* text) { return Problem(Problem::Kind::kInvalid, text); };
  if (config.source.empty() || config.target.empty()) return invalid("source and target must be given");
  if (config.group.empty()) return invalid("a group must be given");
  if (config.topics.empty()) return invalid("at least one topic must be given");
  for (const auto& topic : config.topics)
    if (topic.empty() || topic.front() == '^') return invalid("topics are names, not patterns");
  if (config.source_lost_after < std::chrono::seconds(1)) return invalid("source_lost_after must be at least 1 s");
  if (config.start_without_target_after && *config.start_without_target_after < std::chrono::seconds(1))
    return invalid("start_without_target_after must be at least 1 s");
  for (const auto* each : {&config.properties, &config.source_properties, &config.target_properties})
    if (auto problem = check_properties(*each)) return problem;
  return {};
}

}  // namespace

class FailoverConsumer::Impl {
 public:
  Impl(FailoverConsumerConfig config, std::unique_ptr<MirrorWatch> watch)
      : config_(std::move(config)),
        watch_(std::move(watch)),
        places_({config_.target, merged(config_.properties, config_.target_properties)}, config_.prefix),
        rule_({target_topics(config_), config_.source_lost_after, config_.start_without_target_after}, steady_ms()) {}

  static std::vector<std::string> target_topics(const FailoverConsumerConfig& config) {
    std::vector<std::string> out;
    for (const auto& topic : config.topics) out.push_back(config.prefix + topic);
    return out;
  }

  Polled poll(Millis timeout) {
    if (timeout < Millis(0)) return told({Problem::Kind::kInvalid, "the timeout of poll is negative"});
    const Millis until = steady_ms() + std::min(timeout, kTimeoutMax);
    for (;;) {
      if (waiting_.load() > 0) std::this_thread::sleep_for(Millis(1));  // a timed_mutex is not fair
      {
        std::unique_lock lock(mutex_, until_time(until));
        if (!lock) return {};
        auto out = step(std::clamp(until - steady_ms(), Millis(0), kSlice));
        if (out.kind != Polled::Kind::kNothing) return out;
      }
      if (steady_ms() >= until) return {};
    }
  }

  Problem commit(Millis timeout) {
    if (timeout < Millis(0)) return {Problem::Kind::kInvalid, "the timeout of commit is negative"};
    timeout = std::min(timeout, kTimeoutMax);
    const Millis until = steady_ms() + timeout;
    PendingCommit sent;
    Problem problem;
    {
      auto lock = lock_before_polls(until);
      if (!lock) return {Problem::Kind::kUnavailable, "commit: another call is under way: call again"};
      if (closed_) return {Problem::Kind::kClosed, "the consumer is closed"};
      if (joining_) return joining_->commit_delivered();
      if (!member_) return {};  // nothing was delivered yet
      sent = member_->commit(problem);
    }
    auto failed = sent.wait(std::max(until - steady_ms(), Millis(1)));
    return failed ? failed : problem;
  }

  void close() {
    auto lock = lock_before_polls(steady_ms() + kTimeoutMax);
    if (closed_) return;
    closed_ = true;
    if (member_) member_->close(at_target_.load() || source_alive());
    joining_.reset();
    watch_.reset();
  }

  bool at_target() const { return at_target_.load(); }

 private:
  static std::chrono::steady_clock::time_point until_time(Millis until) {
    return std::chrono::steady_clock::time_point(until);
  }
  std::unique_lock<std::timed_mutex> lock_before_polls(Millis until) {
    ++waiting_;
    std::unique_lock lock(mutex_, until_time(until));
    --waiting_;
    return lock;
  }
  bool source_alive() const { return steady_ms() - watch_->source().seen < kAlive; }

  static Polled told(Problem what) {
    Polled out;
    out.kind = Polled::Kind::kProblem;
    out.problem = std::move(what);
    return out;
  }
  // As a result of poll(), unless it was told a moment ago.
  Polled problem(Problem what) {
    if (!what || !said_.tell(what, steady_ms())) return {};
    return told(std::move(what));
  }

  // One short step of poll(); nothing: go on.
  Polled step(Millis left) {
    if (closed_) return told({Problem::Kind::kClosed, "the consumer is closed"});
    if (steady_ms() >= look_again_at_) {
      look_again_at_ = steady_ms() + kLookAgain;
      for (auto& each : refusals())
        if (auto out = problem(std::move(each)); out.kind != Polled::Kind::kNothing) return out;
      const bool moving = move_again_at_ && steady_ms() < *move_again_at_;
      if (!moving) {
        if (auto out = problem(follow_rule()); out.kind != Polled::Kind::kNothing) return out;
      }
    }
    if (joining_) {
      Problem bad;
      member_ = joining_->step(steady_ms(), bad);
      if (member_) {
        events_.push_back(joining_->take_event());
        joining_.reset();
      } else if (auto out = problem(std::move(bad)); out.kind != Polled::Kind::kNothing) {
        return out;
      }
    }
    if (!events_.empty()) {
      Polled out;
      out.kind = Polled::Kind::kEvent;
      out.event = std::move(events_.front());
      events_.pop_front();
      return out;
    }
    // During a move that failed no records of the source are delivered: the target does not have them.
    if (!member_ || move_again_at_) {
      std::this_thread::sleep_for(std::min(left, kIdle));
      return {};
    }
    return poll_member(left);
  }

  Polled poll_member(Millis left) {
    if (member_->carries() && steady_ms() >= carry_again_at_) {
      carry_again_at_ = steady_ms() + kCarryAgain;
      if (auto out = problem(member_->commit_carried(kCarry)); out.kind != Polled::Kind::kNothing) return out;
    }
    while (auto complaint = member_->complaint())
      if (auto out = problem(std::move(*complaint)); out.kind != Polled::Kind::kNothing) return out;
    auto message = member_->poll(left);
    if (!message) return {};
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return problem(member_->problem_of(*message));
    Polled out;
    out.kind = Polled::Kind::kRecord;
    out.record = delivered_record(*message, source_name(rd_kafka_topic_name(message->rkt)));
    return out;
  }

  std::string source_name(std::string name) const {
    return at_target_.load() ? name.substr(config_.prefix.size()) : name;
  }

  void say(Event::Kind kind, std::string text) {
    Event event;
    event.kind = kind;
    event.text = std::move(text);
    events_.push_back(std::move(event));
  }

  // Clusters that refuse the watching thread, which only a person can repair.
  std::vector<Problem> refusals() const {
    std::vector<Problem> out;
    const auto view = watch_->view();
    if (view->refused) out.emplace_back(Problem::Kind::kFailed, "target: " + view->problem, view->kafka_code);
    const auto source = watch_->source();
    if (!at_target_.load() && source.refused)
      out.emplace_back(Problem::Kind::kFailed, "source: " + source.problem, source.kafka_code);
    return out;
  }

  Problem follow_rule() {
    auto view = watch_->view();
    auto decision = rule_.decide(*view, watch_->source().seen, steady_ms());
    using Say = FailoverRule::Say;
    switch (decision.say) {
      case Say::kNothing:
        break;
      case Say::kSourceLost:
        say(Event::Kind::kSourceLost, std::move(decision.text));
        break;
      case Say::kSourceBack:
        say(Event::Kind::kSourceBack, std::move(decision.text));
        break;
      case Say::kWaiting:
        say(Event::Kind::kWaiting, std::move(decision.text));
        break;
      case Say::kTargetUnknown:
        say(Event::Kind::kTargetUnknown, std::move(decision.text));
        break;
      case Say::kTargetBack:
        say(Event::Kind::kTargetBack, std::move(decision.text));
        break;
    }
    switch (decision.action) {
      case FailoverRule::Action::kNone:
        return {};
      case FailoverRule::Action::kStartSource:
        start_at_source();
        return {};
      case FailoverRule::Action::kMoveToTarget:
        return move_to_target(*view);
    }
    return {};
  }

  void start_at_source() {
    GroupMember::Options options;
    options.where = "source";
    options.bootstrap = config_.source;
    options.group = config_.group;
    options.topics = config_.topics;
    options.properties = merged(config_.properties, config_.source_properties);
    Event event;
    event.text = "started at the source " + config_.source;
    joining_.emplace(std::move(options), std::move(event));
  }

  Problem move_to_target(const TargetView& view) {
    Places places;
    GroupMember::Options options;
    if (member_) {
      if (auto bad = places_.find(view, member_->positions(), member_->committed(), places, kTranslate)) {
        rule_.not_moved();
        move_again_at_ = steady_ms() + kMoveAgain;
        if (bad.kind != Problem::Kind::kUnavailable) bad.kind = Problem::Kind::kFailed;  // poll() is to be called again
        return bad;
      }
      options.moved = true;
      options.client_id = member_->member_id();
      for (const auto& [topic, partition] : member_->owned()) options.kept.emplace(config_.prefix + topic, partition);
      member_->close(source_alive());  // LeaveGroup is sent only to a source that still answers
      member_.reset();
    }
    move_again_at_.reset();
    options.where = "target";
    options.bootstrap = config_.target;
    options.group = config_.group;
    options.topics = target_topics(config_);
    options.properties = merged(config_.properties, config_.target_properties);
    at_target_.store(true);
    watch_->source_is_over();
    Event event = moved_event(view, places, options);
    joining_.emplace(std::move(options), std::move(event));
    return {};
  }

  // Tells of the partitions that this member had, and fills in what they carry.
  Event moved_event(const TargetView& view, const Places& places, GroupMember::Options& options) const {
    Event event;
    int64_t lost = 0;
    for (const auto& [key, place] : places) {
      const PartitionKey at_target(config_.prefix + key.first, key.second);
      options.delivered[at_target] = place.at_target;
      if (!options.kept.contains(at_target)) continue;
      const bool there = view.topics.at(at_target.first).partitions.contains(key.second);
      if (there && place.commit_at) options.carried[at_target] = *place.commit_at;
      auto& out = event.partitions.emplace_back();
      out.topic = key.first;
      out.partition = key.second;
      out.failover_offset = place.next.failover_offset;
      out.position = place.next.position;
      out.continued_at = place.at_target;
      out.consumed_but_lost = place.next.consumed_but_lost;
      out.committed_at = place.commit_at.value_or(-1);
      lost += place.next.consumed_but_lost;
    }
    event.kind = options.moved ? Event::Kind::kFailedOver : Event::Kind::kStarted;
    std::string open;
    for (const auto& [topic, partition] : options.kept)
      if (auto found = view.topics.find(topic); found != view.topics.end() && found->second.is_open(partition))
        open += " " + topic + "[" + std::to_string(partition) + "]";
    event.text = (options.moved ? "failed over to the target " : "started at the target ") + config_.target +
                 (lost > 0 ? ": consumed but lost " + std::to_string(lost) : std::string());
    if (!open.empty())
      event.text += "; offline at the target, and read from the group's commit there when it is back:" + open;
    return event;
  }

  const FailoverConsumerConfig config_;
  std::timed_mutex mutex_;
  std::atomic<int> waiting_ = 0;  // threads that want the lock for something short
  std::unique_ptr<MirrorWatch> watch_;
  PlaceFinder places_;
  FailoverRule rule_;
  std::unique_ptr<GroupMember> member_;
  std::optional<Joining> joining_;
  std::deque<Event> events_;
  SaidProblems said_;
  std::optional<Millis> move_again_at_;  // a move failed: the time of the next attempt
  Millis carry_again_at_{0}, look_again_at_{0};
  std::atomic<bool> at_target_ = false;
  bool closed_ = false;
};

std::unique_ptr<FailoverConsumer> FailoverConsumer::open(FailoverConsumerConfig config, Problem& problem) {
  problem = check_config(config);
  if (problem) return nullptr;
  MirrorWatchOptions options;
  options.target = {config.target, merged(config.properties, config.target_properties)};
  options.source = {config.source, merged(config.properties, config.source_properties)};
  options.topics = Impl::target_topics(config);
  auto watch = MirrorWatch::open(options, problem);
  if (!watch) return nullptr;
  return std::unique_ptr<FailoverConsumer>(
      new FailoverConsumer(std::make_unique<Impl>(std::move(config), std::move(watch))));
}

FailoverConsumer::FailoverConsumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FailoverConsumer::~FailoverConsumer() { close(); }
FailoverConsumer::Polled FailoverConsumer::poll(Millis timeout) { return impl_->poll(timeout); }
Problem FailoverConsumer::commit(Millis timeout) { return impl_->commit(timeout); }
void FailoverConsumer::close() { impl_->close(); }
bool FailoverConsumer::at_target() const { return impl_->at_target(); }

}  // namespace farshore::client
