#include "offsets/client/translator/translator.h"

#include <algorithm>
#include <utility>

#include "offsets/client/target/target_lookup.h"
#include "offsets/client/translator/internal/mirror_limit.h"

namespace farshore::client {
namespace {

using Direction = RelayDirection;
using Clock = std::chrono::steady_clock;
using TranslatorMillis = std::chrono::milliseconds;
constexpr TranslatorMillis kTranslateMax = std::chrono::hours(24);  // longer timeouts are this long

}  // namespace

class Translator::Impl {
 public:
  Impl(TranslatorConfig config, std::unique_ptr<TargetLookup> target)
      : config_(std::move(config)), target_(std::move(target)) {}

  Position translate(const std::string& topic, int32_t partition, int64_t offset, Direction direction,
                     TranslatorMillis timeout) {
    Position out;
    if (timeout < TranslatorMillis(0)) {
      out.problem = {Problem::Kind::kInvalid, "the timeout of a translation is negative"};
      return out;
    }
    timeout = std::min(timeout, kTranslateMax);
    const auto until = Clock::now() + timeout;
    bool farshore = false;
    out.problem = target_->is_farshore(farshore, timeout);
    if (out.problem) return out;
    const auto left = std::max(std::chrono::duration_cast<TranslatorMillis>(until - Clock::now()), TranslatorMillis(1));
    return farshore ? mirrored(topic, partition, offset, direction, left)
                    : relayed(topic, partition, offset, direction, left);
  }

 private:
  Position relayed(const std::string& topic, int32_t partition, int64_t offset, Direction direction,
                   TranslatorMillis timeout) {
    RelayQuestion question;
    question.link = config_.link;
    question.topic = topic;
    question.partition = partition;
    question.offset = offset;
    question.direction = direction;
    auto answers = target_->ask({std::move(question)}, timeout);
    auto& answer = answers.front();
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
                    TranslatorMillis timeout) {
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
    TopicAtTarget found;
    out.problem = target_->topic(name, found, timeout);
    if (out.problem) return out;
    auto limit = mirror_limit(&found, partition, offset);
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

  const TranslatorConfig config_;
  std::unique_ptr<TargetLookup> target_;
};

std::unique_ptr<Translator> Translator::open(TranslatorConfig config, Problem& problem) {
  auto target = TargetLookup::open({config.target, config.properties}, problem);
  if (!target) return nullptr;
  return std::unique_ptr<Translator>(new Translator(std::make_unique<Impl>(std::move(config), std::move(target))));
}

Translator::Translator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Translator::~Translator() = default;

Translator::Position Translator::to_target(const std::string& topic, int32_t partition, int64_t source_offset,
                                           TranslatorMillis timeout) {
  return impl_->translate(topic, partition, source_offset, Direction::kToTarget, timeout);
}

Translator::Position Translator::to_source(const std::string& topic, int32_t partition, int64_t target_offset,
                                           TranslatorMillis timeout) {
  return impl_->translate(topic, partition, target_offset, Direction::kToSource, timeout);
}

}  // namespace farshore::client
