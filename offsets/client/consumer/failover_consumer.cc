#include "offsets/client/failover_consumer.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>

#include "offsets/client/consumer/internal/delivered_record.h"
#include "offsets/client/consumer/internal/failover_rule.h"
#include "offsets/client/consumer/internal/group_member.h"
#include "offsets/client/consumer/internal/place_finder.h"
#include "offsets/client/target/mirror_watch.h"

namespace farshore {
namespace {

using client::FailoverRule;
using client::GroupMember;
using client::Positions;
using client::TargetView;
using Millis = std::chrono::milliseconds;
constexpr Millis kSlice(100);        // the longest single poll of librdkafka: it delays a failover
constexpr Millis kMoveCommit(5000);  // to commit the positions at the target, before the group is joined there
constexpr Millis kTranslate(10000);  // to translate all positions, on a relay link
constexpr Millis kMoveAgain(1000);   // from a failed move to the next attempt

Millis steady_now() { return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch()); }

Problem check(const FailoverConsumerConfig& config) {
  const auto invalid = [](const char* text) { return Problem{Problem::Kind::kInvalid, text}; };
  if (config.source.empty() || config.target.empty()) return invalid("source and target must be given");
  if (config.group.empty()) return invalid("a group must be given");
  if (config.topics.empty()) return invalid("at least one topic must be given");
  for (const auto& topic : config.topics)
    if (topic.empty() || topic.front() == '^') return invalid("topics are names, not patterns");
  if (config.source_lost_after < std::chrono::seconds(1)) return invalid("source_lost_after must be at least 1 s");
  return client::check_properties(config.properties);
}

}  // namespace

class FailoverConsumer::Impl {
 public:
  Impl(FailoverConsumerConfig config, std::vector<std::string> target_topics,
       std::unique_ptr<client::MirrorWatch> watch)
      : config_(std::move(config)),
        target_topics_(std::move(target_topics)),
        watch_(std::move(watch)),
        places_(std::make_unique<client::PlaceFinder>(config_.target, config_.prefix)),
        rule_(target_topics_, config_.source_lost_after, steady_now()) {}

  Polled poll(Millis timeout) {
    std::lock_guard lock(mutex_);
    const Millis until = steady_now() + timeout;
    for (;;) {
      if (closed_) return problem({Problem::Kind::kClosed, "the consumer is closed"});
      if (move_again_at_ && steady_now() < *move_again_at_) {
        // No more records of the source are delivered now: the target does not have them.
        if (steady_now() >= until) return {};
        std::this_thread::sleep_for(std::min(until - steady_now(), kSlice));
        continue;
      }
      if (!at_target_.load()) {
        if (auto bad = follow_rule()) return problem(std::move(bad));
      } else if (commit_again_at_ && steady_now() >= *commit_again_at_) {
        commit_again();
      }
      if (!events_.empty()) {
        Polled out;
        out.kind = Polled::Kind::kEvent;
        out.event = std::move(events_.front());
        events_.pop_front();
        return out;
      }
      const Millis left = std::clamp(until - steady_now(), Millis(0), kSlice);
      if (!member_) {
        if (left.count() == 0) return {};
        std::this_thread::sleep_for(std::min(left, Millis(20)));  // until the first answer of the target
        continue;
      }
      if (auto message = member_->poll(left)) return polled(*message);
      if (steady_now() >= until) return {};
    }
  }

  Problem commit(Millis timeout) {
    std::lock_guard lock(mutex_);
    if (closed_) return {Problem::Kind::kClosed, "the consumer is closed"};
    if (!member_) return {};  // nothing was delivered yet
    return member_->commit(member_->owned(), timeout);
  }

  void close() {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    if (member_) member_->close(at_target_.load() || !rule_.source_lost());
    watch_.reset();
  }

  bool at_target() const { return at_target_.load(); }

 private:
  static Polled problem(Problem what) {
    Polled out;
    out.kind = Polled::Kind::kProblem;
    out.problem = std::move(what);
    return out;
  }

  Polled polled(const rd_kafka_message_t& message) {
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return problem({Problem::Kind::kUnavailable, message.payload ? std::string(rd_kafka_message_errstr(&message))
                                                                   : rd_kafka_err2str(message.err)});
    Polled out;
    out.kind = Polled::Kind::kRecord;
    out.record = client::delivered_record(message, source_name(rd_kafka_topic_name(message.rkt)));
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

  Problem follow_rule() {
    auto view = watch_->view();
    auto decision = rule_.decide(*view, watch_->source_seen(), steady_now());
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
    }
    switch (decision.action) {
      case FailoverRule::Action::kNone:
        return {};
      case FailoverRule::Action::kStartSource:
        say(Event::Kind::kStarted, "started at the source " + config_.source);
        return join(config_.source, config_.topics, {}, {});
      case FailoverRule::Action::kMoveToTarget:
        return move_to_target(*view);
    }
    return {};
  }

  // Commits `first`, then joins the group.
  Problem join(const std::string& bootstrap, const std::vector<std::string>& topics, Positions delivered,
               const Positions& first) {
    GroupMember::Options options;
    options.bootstrap = bootstrap;
    options.group = config_.group;
    options.topics = topics;
    options.properties = config_.properties;
    options.delivered = std::move(delivered);
    Problem bad;
    member_ = GroupMember::open(std::move(options), bad);
    if (!member_) {
      closed_ = true;  // a later attempt would fail in the same way
      return bad;
    }
    first_commit_ = member_->commit(first, kMoveCommit);
    return member_->subscribe();
  }

  Problem move_to_target(const TargetView& view) {
    Event event;
    Positions delivered, owned;
    client::Places places;
    if (member_) {
      if (auto bad = places_->find(view, member_->positions(), places, kTranslate)) {
        rule_.not_moved();
        move_again_at_ = steady_now() + kMoveAgain;
        if (bad.kind != Problem::Kind::kUnavailable) bad.kind = Problem::Kind::kFailed;
        return bad;
      }
      move_again_at_.reset();
      places_.reset();
      owned = member_->owned();
      delivered = member_->positions();
      // LeaveGroup is sent only to a source that still answers.
      member_->close(steady_now() - watch_->source_seen() < std::chrono::seconds(3));
      member_.reset();
    }
    Positions at_target, first;
    int64_t lost = 0;
    for (const auto& [key, place] : places) {
      const auto& [next, continued_at] = place;
      const std::string name = config_.prefix + key.first;
      at_target[{name, key.second}] = continued_at;
      if (!owned.contains(key)) continue;
      if (view.topics.at(name).partitions.contains(key.second)) first[{name, key.second}] = continued_at;
      event.partitions.push_back(
          {key.first, key.second, next.failover_offset, next.position, continued_at, next.consumed_but_lost, false});
      lost += next.consumed_but_lost;
    }
    at_target_.store(true);
    auto bad = join(config_.target, target_topics_, std::move(at_target), first);
    for (auto& partition : event.partitions)
      partition.committed = !first_commit_ && first.contains({config_.prefix + partition.topic, partition.partition});
    if (first_commit_) commit_again_at_ = steady_now() + std::chrono::seconds(1);
    event.kind = delivered.empty() ? Event::Kind::kStarted : Event::Kind::kFailedOver;
    event.text = (delivered.empty() ? "started at the target " : "failed over to the target ") + config_.target +
                 (lost > 0 ? ": consumed but lost " + std::to_string(lost) : std::string()) +
                 (first_commit_ ? " (positions not committed yet: " + first_commit_.text + ")" : std::string());
    events_.push_back(std::move(event));
    return bad;
  }

  // Commits as a member of the group, once partitions are assigned.
  void commit_again() {
    auto owned = member_->owned();
    commit_again_at_ = steady_now() + std::chrono::seconds(1);
    if (!owned.empty() && !member_->commit(owned, Millis(2000))) commit_again_at_.reset();
  }

  const FailoverConsumerConfig config_;
  const std::vector<std::string> target_topics_;
  std::mutex mutex_;
  std::unique_ptr<client::MirrorWatch> watch_;
  std::unique_ptr<client::PlaceFinder> places_;  // null after the move
  FailoverRule rule_;
  std::unique_ptr<GroupMember> member_;
  std::deque<Event> events_;
  Problem first_commit_;
  std::optional<Millis> commit_again_at_;
  std::optional<Millis> move_again_at_;  // a move failed: the time of the next attempt
  std::atomic<bool> at_target_ = false;
  bool closed_ = false;
};

std::unique_ptr<FailoverConsumer> FailoverConsumer::open(FailoverConsumerConfig config, Problem& problem) {
  problem = check(config);
  if (problem) return nullptr;
  client::MirrorWatchOptions options;
  options.target = config.target;
  options.source = config.source;
  for (const auto& topic : config.topics) options.topics.push_back(config.prefix + topic);
  auto topics = options.topics;
  auto watch = client::MirrorWatch::open(options, problem);
  if (!watch) return nullptr;
  return std::unique_ptr<FailoverConsumer>(
      new FailoverConsumer(std::make_unique<Impl>(std::move(config), std::move(topics), std::move(watch))));
}

FailoverConsumer::FailoverConsumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FailoverConsumer::~FailoverConsumer() { close(); }
FailoverConsumer::Polled FailoverConsumer::poll(Millis timeout) { return impl_->poll(timeout); }
Problem FailoverConsumer::commit(Millis timeout) { return impl_->commit(timeout); }
void FailoverConsumer::close() { impl_->close(); }
bool FailoverConsumer::at_target() const { return impl_->at_target(); }

}  // namespace farshore
