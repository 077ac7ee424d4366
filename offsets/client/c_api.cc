// The C functions of farshore.h, on top of the C++ classes. Exceptions (out of memory) become FARSHORE_FAILED here.
#include <algorithm>
#include <charconv>
#include <cstring>
#include <exception>
#include <new>
#include <utility>

#include "offsets/client/failover_consumer.h"
#include "offsets/client/farshore.h"
#include "offsets/client/translator.h"

struct farshore_config {
  farshore::FailoverConsumerConfig config;
};
struct farshore_consumer {
  std::unique_ptr<farshore::FailoverConsumer> consumer;
  farshore::FailoverConsumer::Polled polled;
};
struct farshore_translator {
  std::unique_ptr<farshore::Translator> translator;
  bool exact = true;  // of the last call
  int64_t limit = -1;
};

namespace {

using farshore::Problem;
using Polled = farshore::FailoverConsumer::Polled;
thread_local std::string last_error;

// Keeps the text for farshore_last_error() and returns the code.
int report(const Problem& problem) {
  if (!problem) return 0;
  last_error = problem.text;
  switch (problem.kind) {
    case Problem::Kind::kInvalid:
      return FARSHORE_INVALID;
    case Problem::Kind::kUnavailable:
      return FARSHORE_UNAVAILABLE;
    case Problem::Kind::kOutOfRange:
      return FARSHORE_OUT_OF_RANGE;
    case Problem::Kind::kNotMirrored:
      return FARSHORE_NOT_MIRRORED;
    case Problem::Kind::kClosed:
      return FARSHORE_CLOSED;
    default:
      return FARSHORE_FAILED;
  }
}
int invalid(const char* text) { return report({Problem::Kind::kInvalid, text}); }

// Returns what `run` returns; `otherwise` if it throws. No exception may pass through C.
template <class Run, class Value>
Value guarded(Value otherwise, Run run) noexcept {
  try {
    return run();
  } catch (const std::exception& e) {
    try {
      last_error = e.what();
    } catch (...) {
      last_error.clear();
    }
    return otherwise;
  }
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    out.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

const void* bytes(const std::optional<std::string>& from, size_t* size) {
  if (size) *size = from ? from->size() : 0;
  return from ? from->data() : nullptr;
}

int64_t answer(farshore_translator& translator, const farshore::Translator::Position& position) {
  translator.exact = position.exact;
  translator.limit = position.limit;
  return position.problem ? report(position.problem) : position.offset;
}

farshore_translator* open_translator(const char* target, const char* prefix, const char* link) {
  return guarded(static_cast<farshore_translator*>(nullptr), [&]() -> farshore_translator* {
    auto out = std::make_unique<farshore_translator>();
    Problem problem;
    out->translator = farshore::Translator::open({target, prefix, link}, problem);
    if (!out->translator) return report(problem), nullptr;
    return out.release();
  });
}

}  // namespace

extern "C" {

FARSHORE_API const char* farshore_last_error(void) { return last_error.c_str(); }

FARSHORE_API farshore_config* farshore_config_new(void) { return new (std::nothrow) farshore_config; }
FARSHORE_API void farshore_config_free(farshore_config* config) { delete config; }
FARSHORE_API int farshore_config_set(farshore_config* config, const char* name, const char* value) {
  if (!config) return invalid("NULL was passed for config");
  if (!name) return invalid("NULL was passed for name");
  if (!value) return invalid("NULL was passed for value");
  return guarded(static_cast<int>(FARSHORE_FAILED), [&]() -> int {
    auto& to = config->config;
    const std::string key = name;
    if (key == "source")
      to.source = value;
    else if (key == "target")
      to.target = value;
    else if (key == "group")
      to.group = value;
    else if (key == "topics")
      to.topics = split(value);
    else if (key == "prefix")
      to.prefix = value;
    else if (key == "source.lost.after.ms") {
      int64_t number = 0;
      auto [end, error] = std::from_chars(value, value + std::strlen(value), number);
      if (error != std::errc() || *end != 0 || number < 1000)
        return invalid("source.lost.after.ms is milliseconds, at least 1000");
      to.source_lost_after = std::chrono::milliseconds(number);
    } else
      to.properties[key] = value;
    return 0;
  });
}

FARSHORE_API farshore_consumer* farshore_consumer_open(const farshore_config* config) {
  if (!config) return invalid("NULL was passed for config"), nullptr;
  return guarded(static_cast<farshore_consumer*>(nullptr), [&]() -> farshore_consumer* {
    auto out = std::make_unique<farshore_consumer>();
    Problem problem;
    out->consumer = farshore::FailoverConsumer::open(config->config, problem);
    if (!out->consumer) return report(problem), nullptr;
    return out.release();
  });
}
FARSHORE_API void farshore_consumer_close(farshore_consumer* consumer) { delete consumer; }

FARSHORE_API int farshore_consumer_poll(farshore_consumer* consumer, int timeout_ms) {
  return guarded(static_cast<int>(FARSHORE_FAILED), [&]() -> int {
    consumer->polled = consumer->consumer->poll(std::chrono::milliseconds(timeout_ms < 0 ? 0 : timeout_ms));
    switch (consumer->polled.kind) {
      case Polled::Kind::kNothing:
        return FARSHORE_NOTHING;
      case Polled::Kind::kRecord:
        return FARSHORE_RECORD;
      case Polled::Kind::kEvent:
        return FARSHORE_EVENT;
      case Polled::Kind::kProblem:
        break;
    }
    return report(consumer->polled.problem);
  });
}
FARSHORE_API int farshore_consumer_commit(farshore_consumer* consumer, int timeout_ms) {
  return guarded(static_cast<int>(FARSHORE_FAILED), [&]() -> int {
    return report(consumer->consumer->commit(std::chrono::milliseconds(timeout_ms < 0 ? 0 : timeout_ms)));
  });
}
FARSHORE_API int farshore_consumer_at_target(const farshore_consumer* consumer) {
  return consumer->consumer->at_target() ? 1 : 0;
}

FARSHORE_API const char* farshore_record_topic(const farshore_consumer* c) { return c->polled.record.topic.c_str(); }
FARSHORE_API int32_t farshore_record_partition(const farshore_consumer* c) { return c->polled.record.partition; }
FARSHORE_API int64_t farshore_record_offset(const farshore_consumer* c) { return c->polled.record.offset; }
FARSHORE_API int64_t farshore_record_timestamp_ms(const farshore_consumer* c) { return c->polled.record.timestamp_ms; }
FARSHORE_API const void* farshore_record_key(const farshore_consumer* c, size_t* size) {
  return bytes(c->polled.record.key, size);
}
FARSHORE_API const void* farshore_record_value(const farshore_consumer* c, size_t* size) {
  return bytes(c->polled.record.value, size);
}

FARSHORE_API int farshore_event_kind(const farshore_consumer* c) { return static_cast<int>(c->polled.event.kind); }
FARSHORE_API const char* farshore_event_text(const farshore_consumer* c) { return c->polled.event.text.c_str(); }
FARSHORE_API size_t farshore_event_partitions(const farshore_consumer* c) { return c->polled.event.partitions.size(); }
FARSHORE_API int farshore_event_partition(const farshore_consumer* c, size_t index, farshore_continued* out) {
  if (!out || index >= c->polled.event.partitions.size()) return FARSHORE_OUT_OF_RANGE;
  const auto& p = c->polled.event.partitions[index];
  *out = {p.topic.c_str(), p.partition,    p.committed ? 1 : 0, p.failover_offset,
          p.position,      p.continued_at, p.consumed_but_lost};
  return 0;
}

FARSHORE_API farshore_translator* farshore_translator_open(const char* target, const char* prefix) {
  if (!target) return invalid("NULL was passed for target"), nullptr;
  return open_translator(target, prefix ? prefix : "", "");
}
FARSHORE_API farshore_translator* farshore_translator_open_link(const char* target, const char* link) {
  if (!target) return invalid("NULL was passed for target"), nullptr;
  if (!link) return invalid("NULL was passed for link"), nullptr;
  return open_translator(target, "", link);
}
FARSHORE_API void farshore_translator_close(farshore_translator* translator) { delete translator; }
FARSHORE_API int64_t farshore_to_target(farshore_translator* translator, const char* topic, int32_t partition,
                                        int64_t offset, int timeout_ms) {
  return guarded(static_cast<int64_t>(FARSHORE_FAILED), [&]() -> int64_t {
    const std::chrono::milliseconds timeout(timeout_ms < 0 ? 0 : timeout_ms);
    return answer(*translator, translator->translator->to_target(topic, partition, offset, timeout));
  });
}
FARSHORE_API int64_t farshore_to_source(farshore_translator* translator, const char* topic, int32_t partition,
                                        int64_t offset, int timeout_ms) {
  return guarded(static_cast<int64_t>(FARSHORE_FAILED), [&]() -> int64_t {
    const std::chrono::milliseconds timeout(timeout_ms < 0 ? 0 : timeout_ms);
    return answer(*translator, translator->translator->to_source(topic, partition, offset, timeout));
  });
}
FARSHORE_API int farshore_translated_exactly(const farshore_translator* translator) {
  return translator->exact ? 1 : 0;
}
FARSHORE_API int64_t farshore_translation_limit(const farshore_translator* translator) { return translator->limit; }

}  // extern "C"
