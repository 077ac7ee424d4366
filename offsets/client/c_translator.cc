// The functions of farshore.h for Translator.
#include <utility>

#include "offsets/client/internal/c_handles.h"
#include "offsets/client/internal/c_result.h"

namespace farshore::client {
namespace {

thread_local Translator::Position last_position;  // of the thread's last translation

farshore_translator* open_c_translator(TranslatorConfig config) {
  auto out = std::make_unique<farshore_translator>();
  Problem problem;
  out->translator = Translator::open(std::move(config), problem);
  if (!out->translator) return c_report(problem), nullptr;
  return out.release();
}

// `translate` is called with the handle's Translator.
template <class Translate>
int64_t c_translation(farshore_translator* translator, const char* topic, Translate translate) {
  if (!translator) return c_invalid("NULL was passed for translator");
  if (!topic) return c_invalid("NULL was passed for topic");
  return c_guarded<int64_t>(FARSHORE_FAILED, [&]() -> int64_t {
    last_position = translate(*translator->translator);
    return last_position.problem ? c_report(last_position.problem) : last_position.offset;
  });
}

}  // namespace
}  // namespace farshore::client

using farshore::client::last_position;
using farshore::client::open_c_translator;

extern "C" {

farshore_translator* farshore_translator_open(const char* target, const char* prefix) {
  if (!target) return farshore::client::c_invalid("NULL was passed for target"), nullptr;
  return farshore::client::c_guarded<farshore_translator*>(nullptr, [&] {
    return open_c_translator({target, prefix ? prefix : "", "", {}});
  });
}
farshore_translator* farshore_translator_open_link(const char* target, const char* link) {
  if (!target) return farshore::client::c_invalid("NULL was passed for target"), nullptr;
  if (!link) return farshore::client::c_invalid("NULL was passed for link"), nullptr;
  return farshore::client::c_guarded<farshore_translator*>(nullptr, [&] {
    return open_c_translator({target, "", link, {}});
  });
}
farshore_translator* farshore_translator_open_config(const farshore_config* config) {
  if (!config) return farshore::client::c_invalid("NULL was passed for config"), nullptr;
  return farshore::client::c_guarded<farshore_translator*>(nullptr, [&] {
    farshore::client::TranslatorConfig from{config->config.target, config->config.prefix, config->link,
                                            config->config.properties};
    for (const auto& [name, value] : config->config.target_properties) from.properties[name] = value;
    return open_c_translator(std::move(from));
  });
}
void farshore_translator_close(farshore_translator* translator) { delete translator; }

int64_t farshore_to_target(farshore_translator* translator, const char* topic, int32_t partition, int64_t offset,
                           int timeout_ms) {
  return farshore::client::c_translation(translator, topic, [&](farshore::client::Translator& to) {
    return to.to_target(topic, partition, offset, std::chrono::milliseconds(timeout_ms));
  });
}
int64_t farshore_to_source(farshore_translator* translator, const char* topic, int32_t partition, int64_t offset,
                           int timeout_ms) {
  return farshore::client::c_translation(translator, topic, [&](farshore::client::Translator& to) {
    return to.to_source(topic, partition, offset, std::chrono::milliseconds(timeout_ms));
  });
}
int farshore_translated_exactly(const farshore_translator*) { return last_position.exact ? 1 : 0; }
int64_t farshore_translation_limit(const farshore_translator*) { return last_position.limit; }
int farshore_translation_ended(const farshore_translator*) { return last_position.ended ? 1 : 0; }
const char* farshore_translated_topic(const farshore_translator*) { return last_position.topic.c_str(); }

}  // extern "C"
