// The functions of farshore.h for FailoverConsumer.
#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>
#include <utility>

#include "offsets/client/internal/c_handles.h"
#include "offsets/client/internal/c_result.h"

namespace farshore::client {
namespace {

using Polled = FailoverConsumer::Polled;

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    out.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

// FARSHORE_INVALID unless `value` is at least 1000.
int set_milliseconds(const char* name, const char* value, std::chrono::milliseconds& to) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(value, value + std::strlen(value), number);
  constexpr int64_t kMax = int64_t{1000} * 3600 * 24 * 365;
  if (error != std::errc() || *end != 0 || number < 1000 || number > kMax)
    return c_invalid((std::string(name) + " is milliseconds, at least 1000, at most a year").c_str());
  to = std::chrono::milliseconds(number);
  return 0;
}

int set_name(farshore_config& config, const std::string& name, const char* value) {
  auto& to = config.config;
  constexpr std::string_view kSource = "source.", kTarget = "target.";
  if (name == "source.lost.after.ms") return set_milliseconds(name.c_str(), value, to.source_lost_after);
  if (name == "start.without.target.after.ms")
    return set_milliseconds(name.c_str(), value, to.start_without_target_after.emplace());
  if (name == "source")
    to.source = value;
  else if (name == "target")
    to.target = value;
  else if (name == "group")
    to.group = value;
  else if (name == "topics")
    to.topics = split_names(value);
  else if (name == "prefix")
    to.prefix = value;
  else if (name == "link")
    config.link = value;
  else if (name.starts_with(kSource))
    to.source_properties[name.substr(kSource.size())] = value;
  else if (name.starts_with(kTarget))
    to.target_properties[name.substr(kTarget.size())] = value;
  else
    to.properties[name] = value;
  return 0;
}

const void* c_bytes(const std::optional<std::string>& from, size_t* size) {
  if (size) *size = from ? from->size() : 0;
  return from ? from->data() : nullptr;
}

int poll_result(farshore_consumer& consumer, int timeout_ms) {
  consumer.polled = consumer.consumer->poll(std::chrono::milliseconds(timeout_ms));
  consumer.continued.clear();
  switch (consumer.polled.kind) {
    case Polled::Kind::kNothing:
      return FARSHORE_NOTHING;
    case Polled::Kind::kRecord:
      return FARSHORE_RECORD;
    case Polled::Kind::kEvent:
      for (const auto& each : consumer.polled.event.partitions) consumer.continued.push_back({each});
      return FARSHORE_EVENT;
    case Polled::Kind::kProblem:
      break;
  }
  return c_report(consumer.polled.problem);
}

}  // namespace
}  // namespace farshore::client

using farshore::client::c_bytes;
using farshore::client::c_guarded;
using farshore::client::c_invalid;
using farshore::client::c_report;

extern "C" {

farshore_config* farshore_config_new(void) { return new (std::nothrow) farshore_config; }
void farshore_config_free(farshore_config* config) { delete config; }
int farshore_config_set(farshore_config* config, const char* name, const char* value) {
  if (!config) return c_invalid("NULL was passed for config");
  if (!name) return c_invalid("NULL was passed for name");
  if (!value) return c_invalid("NULL was passed for value");
  return c_guarded<int>(FARSHORE_FAILED, [&] { return farshore::client::set_name(*config, name, value); });
}

farshore_consumer* farshore_consumer_open(const farshore_config* config) {
  if (!config) return c_invalid("NULL was passed for config"), nullptr;
  return c_guarded<farshore_consumer*>(nullptr, [&]() -> farshore_consumer* {
    auto out = std::make_unique<farshore_consumer>();
    farshore::client::Problem problem;
    out->consumer = farshore::client::FailoverConsumer::open(config->config, problem);
    if (!out->consumer) return c_report(problem), nullptr;
    return out.release();
  });
}
void farshore_consumer_shutdown(farshore_consumer* consumer) {
  if (consumer) (void)c_guarded<int>(FARSHORE_FAILED, [&] { return consumer->consumer->close(), 0; });
}
void farshore_consumer_close(farshore_consumer* consumer) { delete consumer; }

int farshore_consumer_poll(farshore_consumer* consumer, int timeout_ms) {
  if (!consumer) return c_invalid("NULL was passed for consumer");
  return c_guarded<int>(FARSHORE_FAILED, [&] { return farshore::client::poll_result(*consumer, timeout_ms); });
}
int farshore_consumer_commit(farshore_consumer* consumer, int timeout_ms) {
  if (!consumer) return c_invalid("NULL was passed for consumer");
  return c_guarded<int>(FARSHORE_FAILED,
                        [&] { return c_report(consumer->consumer->commit(std::chrono::milliseconds(timeout_ms))); });
}
int farshore_consumer_at_target(const farshore_consumer* consumer) {
  return consumer && consumer->consumer->at_target() ? 1 : 0;
}

const char* farshore_record_topic(const farshore_consumer* c) { return c->polled.record.topic.c_str(); }
int32_t farshore_record_partition(const farshore_consumer* c) { return c->polled.record.partition; }
int64_t farshore_record_offset(const farshore_consumer* c) { return c->polled.record.offset; }
int64_t farshore_record_timestamp_ms(const farshore_consumer* c) { return c->polled.record.timestamp_ms; }
const void* farshore_record_key(const farshore_consumer* c, size_t* size) {
  return c_bytes(c->polled.record.key, size);
}
const void* farshore_record_value(const farshore_consumer* c, size_t* size) {
  return c_bytes(c->polled.record.value, size);
}
size_t farshore_record_headers(const farshore_consumer* c) { return c->polled.record.headers.size(); }
const char* farshore_record_header_name(const farshore_consumer* c, size_t index) {
  const auto& headers = c->polled.record.headers;
  return index < headers.size() ? headers[index].first.c_str() : nullptr;
}
const void* farshore_record_header_value(const farshore_consumer* c, size_t index, size_t* size) {
  const auto& headers = c->polled.record.headers;
  static const std::optional<std::string> kNone;
  return c_bytes(index < headers.size() ? headers[index].second : kNone,
                 size);  // no copy: the caller keeps the address
}

int farshore_event_kind(const farshore_consumer* c) { return static_cast<int>(c->polled.event.kind); }
const char* farshore_event_text(const farshore_consumer* c) { return c->polled.event.text.c_str(); }
size_t farshore_event_partitions(const farshore_consumer* c) { return c->continued.size(); }
const farshore_continued* farshore_event_partition(const farshore_consumer* c, size_t index) {
  return index < c->continued.size() ? &c->continued[index] : nullptr;
}
const char* farshore_continued_topic(const farshore_continued* p) { return p->topic.c_str(); }
int32_t farshore_continued_partition(const farshore_continued* p) { return p->partition; }
int64_t farshore_continued_failover_offset(const farshore_continued* p) { return p->failover_offset; }
int64_t farshore_continued_position(const farshore_continued* p) { return p->position; }
int64_t farshore_continued_at(const farshore_continued* p) { return p->continued_at; }
int64_t farshore_continued_consumed_but_lost(const farshore_continued* p) { return p->consumed_but_lost; }
int64_t farshore_continued_committed_at(const farshore_continued* p) { return p->committed_at; }
int farshore_continued_committed(const farshore_continued* p) { return p->committed ? 1 : 0; }

}  // extern "C"
