// txn-producer BOOTSTRAP: transactional producers of a real client library (librdkafka), driven line by line from
// stdin, so that a test decides how transactions of several producers interleave. Each command is answered with `ok
// ...` or `error ...` on stdout when it is done; `send` and `flush` together mean that the records are in the log.
//   open ID            a producer with this transactional id (init_transactions)
//   begin ID           commit ID           abort ID           flush ID
//   send ID TOPIC PARTITION KEY VALUE      (words without spaces)
//   offset ID GROUP TOPIC PARTITION N      commits a group's offset with the transaction
//   end TOPIC PARTITION LEVEL              ok LOW HIGH: as read_committed or read_uncommitted sees them (ListOffsets)
#include <librdkafka/rdkafkacpp.h>

#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr int kLimit_ms = 30'000;

std::string text_of(RdKafka::Error* error) {
  std::unique_ptr<RdKafka::Error> owned(error);
  return owned ? owned->str() : "";
}
std::string text_of(RdKafka::ErrorCode code) { return code == RdKafka::ERR_NO_ERROR ? "" : RdKafka::err2str(code); }

class Producers {
 public:
  explicit Producers(std::string bootstrap) : bootstrap_(std::move(bootstrap)) {}

  // Empty: done. Otherwise what went wrong.
  std::string run(const std::string& line, std::string& answer) {
    std::istringstream words(line);
    std::string verb, id;
    words >> verb;
    if (verb == "end") return end(words, answer);
    words >> id;
    if (verb == "open") return open(id);
    auto found = producers_.find(id);
    if (found == producers_.end()) return "no producer " + id;
    RdKafka::Producer& producer = *found->second;
    if (verb == "begin") return text_of(producer.begin_transaction());
    if (verb == "commit") return text_of(producer.commit_transaction(kLimit_ms));
    if (verb == "abort") return text_of(producer.abort_transaction(kLimit_ms));
    if (verb == "flush") return text_of(producer.flush(kLimit_ms));
    if (verb == "send") return send(producer, words);
    if (verb == "offset") return offset(producer, words);
    return "no such command";
  }

 private:
  static bool set(RdKafka::Conf& conf, const std::string& name, const std::string& value, std::string& error) {
    return conf.set(name, value, error) == RdKafka::Conf::CONF_OK;
  }
  std::string open(const std::string& id) {
    std::string error;
    std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
    // Long enough that no transaction of the test is ended by its coordinator.
    if (!set(*conf, "bootstrap.servers", bootstrap_, error) || !set(*conf, "transactional.id", id, error) ||
        !set(*conf, "transaction.timeout.ms", "600000", error) || !set(*conf, "linger.ms", "0", error))
      return error;
    std::unique_ptr<RdKafka::Producer> producer(RdKafka::Producer::create(conf.get(), error));
    if (!producer) return error;
    error = text_of(producer->init_transactions(kLimit_ms));
    if (error.empty()) producers_[id] = std::move(producer);
    return error;
  }
  static std::string send(RdKafka::Producer& producer, std::istream& words) {
    std::string topic, key, value;
    int32_t partition = -1;
    words >> topic >> partition >> key >> value;
    if (!words) return "send: too few words";
    return text_of(producer.produce(topic, partition, RdKafka::Producer::RK_MSG_COPY, value.data(), value.size(),
                                    key.data(), key.size(), 0, nullptr));
  }
  std::string offset(RdKafka::Producer& producer, std::istream& words) {
    std::string group, topic, error;
    int32_t partition = -1;
    int64_t at = -1;
    words >> group >> topic >> partition >> at;
    if (!words) return "offset: too few words";
    std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
    if (!set(*conf, "bootstrap.servers", bootstrap_, error) || !set(*conf, "group.id", group, error)) return error;
    std::unique_ptr<RdKafka::KafkaConsumer> consumer(RdKafka::KafkaConsumer::create(conf.get(), error));
    if (!consumer) return error;
    std::unique_ptr<RdKafka::ConsumerGroupMetadata> metadata(consumer->groupMetadata());
    std::unique_ptr<RdKafka::TopicPartition> where(RdKafka::TopicPartition::create(topic, partition, at));
    std::vector<RdKafka::TopicPartition*> offsets{where.get()};
    error = text_of(producer.send_offsets_to_transaction(offsets, metadata.get(), kLimit_ms));
    consumer->close();
    return error;
  }
  std::string end(std::istream& words, std::string& answer) {
    std::string topic, level, error;
    int32_t partition = -1;
    words >> topic >> partition >> level;
    std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
    if (!set(*conf, "bootstrap.servers", bootstrap_, error) || !set(*conf, "isolation.level", level, error))
      return error;
    std::unique_ptr<RdKafka::Consumer> consumer(RdKafka::Consumer::create(conf.get(), error));
    if (!consumer) return error;
    int64_t low = -1, high = -1;
    error = text_of(consumer->query_watermark_offsets(topic, partition, &low, &high, kLimit_ms));
    answer = " " + std::to_string(low) + " " + std::to_string(high);
    return error;
  }

  const std::string bootstrap_;
  std::map<std::string, std::unique_ptr<RdKafka::Producer>> producers_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "txn-producer BOOTSTRAP < commands\n";
    return 2;
  }
  Producers producers(argv[1]);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::string answer;
    const std::string error = producers.run(line, answer);
    std::cout << (error.empty() ? "ok" + answer : "error " + error) << std::endl;
  }
  // An open transaction stays open: no destructor of a producer may abort it, so none runs.
  std::_Exit(0);
}
