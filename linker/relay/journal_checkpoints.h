// JournalCheckpoints: the background work of KafkaRelayJournal: writes waiting runs of each key at most once per
// `checkpoint_every` (at once, if a whole batch waits), and reads the local image of a key again where the disk had
// refused it. At most `writes_in_flight_max` keys at a time.
// Executor: the Env's. Owner: KafkaRelayJournal.
#pragma once

#include <map>

#include "base/gate.h"
#include "linker/relay/journal_writer.h"
#include "linker/relay/log_image.h"

namespace farshore::linker {

class JournalCheckpoints {
 public:
  using Keys = std::map<LinkPartition, std::shared_ptr<JournalKey>>;

  // References outlive it. `idle` is notified when a key's turn ends.
  JournalCheckpoints(Env& env, offsets::TranslationStore& store, const RelayJournalOptions& options, LogImage& image,
                     JournalWriter& writer, const Keys& keys, Notifier& idle);

  void start();
  void wake() { wake_.notify(); }  // something waits to be written
  Task<void> stop();               // waits for writes that are under way

 private:
  Task<void> run();
  void start_due_work();
  bool due(const JournalKey& key) const;
  bool anything_behind() const;
  Task<void> checkpoint(JournalTurn turn);
  Task<void> repair_image(JournalTurn turn);
  Task<Status> drop_what_waited(JournalKey& key);
  Task<void> read_image(JournalKey& key);

  Env& env_;
  offsets::TranslationStore& store_;
  const RelayJournalOptions& options_;
  LogImage& image_;
  JournalWriter& writer_;
  const Keys& keys_;
  Notifier& idle_;
  Notifier wake_;
  int in_flight_ = 0;
  bool stopping_ = false;
  Gate gate_;
};

}  // namespace farshore::linker
