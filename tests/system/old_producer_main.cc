// old-producer BOOTSTRAP TOPIC TIME_MS CODEC: produces each line of standard input, key&value, through librdkafka's
// idempotent producer; the first carries the timestamp TIME_MS, each following one a millisecond more. kcat cannot set
// timestamps.
#include <librdkafka/rdkafkacpp.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

namespace {

struct Failures : RdKafka::DeliveryReportCb {
  int count = 0;
  void dr_cb(RdKafka::Message& message) override {
    if (message.err() != RdKafka::ERR_NO_ERROR) ++count;
  }
};

int fail(const std::string& what) {
  std::fprintf(stderr, "old-producer: %s\n", what.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return fail("BOOTSTRAP TOPIC TIME_MS CODEC");
  const std::string topic = argv[2];
  Failures failures;
  std::string error;
  std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
  if (conf->set("bootstrap.servers", argv[1], error) || conf->set("enable.idempotence", "true", error) ||
      conf->set("compression.type", argv[4], error) || conf->set("linger.ms", "5", error) ||
      conf->set("batch.num.messages", "50", error) || conf->set("dr_cb", &failures, error))
    return fail(error);
  std::unique_ptr<RdKafka::Producer> producer(RdKafka::Producer::create(conf.get(), error));
  if (!producer) return fail(error);
  int64_t timestamp = std::stoll(argv[3]);
  for (std::string line; std::getline(std::cin, line);) {
    const size_t cut = line.find('&');
    if (cut == std::string::npos) return fail("a line without '&'");
    while (true) {
      auto sent =
          producer->produce(topic, RdKafka::Topic::PARTITION_UA, RdKafka::Producer::RK_MSG_COPY, line.data() + cut + 1,
                            line.size() - cut - 1, line.data(), cut, timestamp, nullptr, nullptr);
      if (sent == RdKafka::ERR_NO_ERROR) break;
      if (sent != RdKafka::ERR__QUEUE_FULL) return fail(RdKafka::err2str(sent));
      producer->poll(100);
    }
    ++timestamp;
    producer->poll(0);
  }
  if (producer->flush(60000) != RdKafka::ERR_NO_ERROR) return fail("not everything was delivered in 60 s");
  if (failures.count > 0) return fail(std::to_string(failures.count) + " records were refused");
  return 0;
}
