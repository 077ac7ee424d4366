#include "offsets/client/translator.h"

#include <mutex>
#include <optional>
#include <utility>

#include "offsets/client/target/mirror_watch.h"
#include "offsets/client/target/relay_lookup.h"
#include "offsets/client/translator/internal/mirror_limit.h"

namespace farshore {
namespace {

using Direction = client::RelayDirection;
using Clock = std::chrono::steady_clock;

}  // namespace

class Translator::Impl {
 public:
  Impl(Config config, std::unique_ptr<client::MirrorWatch> watch, std::unique_ptr<client::RelayLookup> relays)
      : config_(std::move(config)), watch_(std::move(watch)), relays_(std::move(relays)) {}

  Position translate(const std::string& topic, int32_t partition, int64_t offset, Direction direction,
                     std::chrono::milliseconds timeout) {
    Position out;
    const auto began = Clock::now();
    bool farshore = false;
    out.problem = target_kind(farshore, timeout);
    if (out.problem) return out;
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
    timeout = std::max(timeout - spent, std::chrono::milliseconds(1));
    return farshore ? mirrored(topic, partition, offset, direction, timeout)
                    : relayed(topic, partition, offset, direction, timeout);
  }

 private:
  // Asks once: a cluster does not change its kind.
  Problem target_kind(bool& farshore, std::chrono::milliseconds timeout) {
    std::lock_guard lock(mutex_);
    if (!farshore_) {
      bool answer = false;
      if (auto problem = relays_->is_farshore(answer, timeout)) return problem;
      farshore_ = answer;
    }
    farshore = *farshore_;
    return {};
  }

  Position relayed(const std::string& topic, int32_t partition, int64_t offset, Direction direction,
                   std::chrono::milliseconds timeout) {
    client::RelayQuestion question;
    question.link = config_.link;
    question.topic = topic;
    question.partition = partition;
    question.offset = offset;
    question.direction = direction;
    auto answer = relays_->ask(std::move(question), timeout);
    Position out;
    out.limit = answer.limit;
    out.ended = answer.ended;
    out.problem = std::move(answer.problem);
    if (out.problem) {
      out.problem.text = topic + "[" + std::to_string(partition) + "]: " + out.problem.text;
      return out;
    }
    out.topic = std::move(answer.topic);
    out.partition = partition;
    out.offset = answer.offset;
    out.exact = answer.exact;
    return out;
  }

  Position mirrored(const std::string& topic, int32_t partition, int64_t offset, Direction direction,
                    std::chrono::milliseconds timeout) {
    Position out;
    std::string name = config_.prefix + topic, answer_name = name;  // the names at the target and in the answer
    if (direction == Direction::kToSource) {
      if (!topic.starts_with(config_.prefix)) {
        out.problem = {Problem::Kind::kNotMirrored, topic + " does not begin with the link's prefix " + config_.prefix};
        return out;
      }
      name = topic;
      answer_name = topic.substr(config_.prefix.size());
    }
    auto view = watch_->fresh(name, timeout);
    if (!view || !view->problem.empty()) {
      out.problem = {Problem::Kind::kUnavailable,
                     "the target does not answer: " + (view ? view->problem : "timed out")};
      return out;
    }
    auto found = view->topics.find(name);
    auto limit = client::mirror_limit(found == view->topics.end() ? nullptr : &found->second, partition, offset);
    out.limit = limit.limit;
    out.ended = limit.ended;
    out.problem = std::move(limit.problem);
    if (out.problem) {
      out.problem.text = name + "[" + std::to_string(partition) + "]: " + out.problem.text;
      return out;
    }
    out.topic = std::move(answer_name);
    out.partition = partition;
    out.offset = offset;
    return out;
  }

  const Config config_;
  std::unique_ptr<client::MirrorWatch> watch_;
  std::unique_ptr<client::RelayLookup> relays_;
  std::mutex mutex_;
  std::optional<bool> farshore_;
};

std::unique_ptr<Translator> Translator::open(Config config, Problem& problem) {
  client::MirrorWatchOptions options;
  options.target = config.target;
  options.periodic = false;
  auto watch = client::MirrorWatch::open(options, problem);
  if (!watch) return nullptr;
  auto relays = client::RelayLookup::open(config.target, problem);
  if (!relays) return nullptr;
  return std::unique_ptr<Translator>(
      new Translator(std::make_unique<Impl>(std::move(config), std::move(watch), std::move(relays))));
}

Translator::Translator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Translator::~Translator() = default;

Translator::Position Translator::to_target(const std::string& topic, int32_t partition, int64_t source_offset,
                                           std::chrono::milliseconds timeout) {
  return impl_->translate(topic, partition, source_offset, Direction::kToTarget, timeout);
}

Translator::Position Translator::to_source(const std::string& topic, int32_t partition, int64_t target_offset,
                                           std::chrono::milliseconds timeout) {
  return impl_->translate(topic, partition, target_offset, Direction::kToSource, timeout);
}

}  // namespace farshore
