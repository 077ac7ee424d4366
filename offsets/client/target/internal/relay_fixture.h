// A FakeKafka whose topics the tests fill as a relay link does.
#pragma once

#include <string>

#include "offsets/translation/records.h"
#include "proto/batch/builder.h"
#include "proto/kafka/fake/testing/kafka_world.h"
#include "proto/link/keys.h"
#include "proto/link/relay_topic.h"

namespace farshore::client {

class RelayFixture : public kafka::KafkaFixture {
 public:
  RelayFixture() : KafkaFixture("app") {
    Uuid link, topic;
    link.bytes.fill(0x11);
    topic.bytes.fill(0x22);
    key_.link = LinkId(link);
    key_.source_topic = SourceTopicId(topic);
  }

  void add_topics() {
    kafka_.add_topic("__farshore_links", 1);
    kafka_.add_topic(kTranslationTopic, kTranslationLogPartitions);
    kafka_.add_topic("east.orders", 1);
    store_link("link/e2w/topic/east.orders", link_json(false));
  }
  RelayTopic relay_topic() const {
    RelayTopic topic;
    topic.link = key_.link;
    topic.topic = "east.orders";
    topic.source_topic = "orders";
    topic.source_id = key_.source_topic;
    topic.partitions = 1;
    return topic;
  }
  std::string link_json(bool ended, int version = 1) const {
    RelayTopic topic = relay_topic();
    if (ended) topic.promotion.emplace();
    std::string json = encode(topic);
    json.replace(json.find("\"v\":1"), 5, "\"v\":" + std::to_string(version));
    return json;
  }
  void store_link(const std::string& key, const std::string& value) {
    BatchBuilder builder;
    builder.add(1, std::string_view(key), std::string_view(value));
    kafka_.append("__farshore_links", 0, builder.build());
  }
  void log(const TranslationRecord& record) {
    auto encoded = encode_translation(record).value();
    std::optional<std::string_view> value;
    if (encoded.value) value = *encoded.value;
    BatchBuilder builder;
    builder.add(1, std::string_view(encoded.key), value);
    kafka_.append(kTranslationTopic, translation_log_partition(key_), builder.build());
  }
  void log_run(int64_t source, int64_t target, int64_t length) {
    RunRecord record;
    record.key = key_;
    record.run.source = SourceOffset(source);
    record.run.target = TargetOffset(target);
    record.run.length = length;
    record.run.source_epoch = LogEpoch(4);
    log(record);
  }
  void log_anchor(kafka::ProducerIdentity producer, int32_t sequence, int64_t source) {
    AnchorRecord record;
    record.key = key_;
    record.anchor.producer = producer;
    record.anchor.sequence = sequence;
    record.anchor.source = SourceOffset(source);
    record.anchor.source_epoch = LogEpoch(4);
    record.anchor.target_from = TargetOffset(kafka_.partition("east.orders", 0).end);
    log(record);
  }
  int64_t append(std::optional<kafka::ProducerIdentity> producer, int32_t sequence, int64_t records) {
    BatchBuilder builder;
    if (producer) builder.producer(producer->id, producer->epoch, sequence);
    for (int64_t i = 0; i < records; ++i) builder.add(1, std::nullopt, std::string_view("v"));
    return kafka_.append("east.orders", 0, builder.build());
  }
  void marker(kafka::ProducerIdentity producer) {
    BatchBuilder builder;
    builder.producer(producer.id, producer.epoch, -1).transactional();
    builder.add_marker(ControlType::kAbort, 0, 1);
    kafka_.append("east.orders", 0, builder.build());
  }

  LinkPartition key_;
};

}  // namespace farshore::client
