#include "offsets/client/translator.h"

#include <utility>

#include "offsets/client/mirror_watch.h"

namespace farshore {

class Translator::Impl {
 public:
  Impl(std::string prefix, std::unique_ptr<client::MirrorWatch> watch)
      : prefix_(std::move(prefix)), watch_(std::move(watch)) {}

  // `name` is the topic's at the target, `answer_name` at the other side.
  Position look(const std::string& name, std::string answer_name, int32_t partition, int64_t offset,
                std::chrono::milliseconds timeout) {
    Position out;
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
  const std::string& prefix() const { return prefix_; }

 private:
  const std::string prefix_;
  std::unique_ptr<client::MirrorWatch> watch_;
};

std::unique_ptr<Translator> Translator::open(Config config, Problem& problem) {
  client::MirrorWatchOptions options;
  options.target = config.target;
  options.periodic = false;
  auto watch = client::MirrorWatch::open(options, problem);
  if (!watch) return nullptr;
  return std::unique_ptr<Translator>(
      new Translator(std::make_unique<Impl>(std::move(config.prefix), std::move(watch))));
}

Translator::Translator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Translator::~Translator() = default;

Translator::Position Translator::to_target(const std::string& topic, int32_t partition, int64_t source_offset,
                                           std::chrono::milliseconds timeout) {
  const std::string name = impl_->prefix() + topic;
  return impl_->look(name, name, partition, source_offset, timeout);
}

Translator::Position Translator::to_source(const std::string& topic, int32_t partition, int64_t target_offset,
                                           std::chrono::milliseconds timeout) {
  if (!topic.starts_with(impl_->prefix())) {
    Position out;
    out.problem = {Problem::Kind::kNotMirrored, topic + " does not begin with the link's prefix " + impl_->prefix()};
    return out;
  }
  return impl_->look(topic, topic.substr(impl_->prefix().size()), partition, target_offset, timeout);
}

}  // namespace farshore
