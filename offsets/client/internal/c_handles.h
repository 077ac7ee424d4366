// The handles of farshore.h: what each one points to.
#pragma once

#include <memory>
#include <string>

#include "farshore/farshore.h"
#include "offsets/client/consumer/failover_consumer.h"
#include "offsets/client/translator/translator.h"

struct farshore_config {
  farshore::client::FailoverConsumerConfig config;
  std::string link;
};

struct farshore_continued : farshore::client::FailoverConsumer::ContinuedPartition {};

struct farshore_consumer {
  std::unique_ptr<farshore::client::FailoverConsumer> consumer;
  farshore::client::FailoverConsumer::Polled polled;
  std::vector<farshore_continued> continued;  // of polled.event
};

struct farshore_translator {
  std::unique_ptr<farshore::client::Translator> translator;
};
