// Limits of KafkaRelayJournal.
#pragma once

#include "base/time.h"

namespace farshore::linker {

struct RelayJournalOptions {
  Duration checkpoint_every = seconds(1);
  size_t runs_pending_max = 1 << 16;        // per key
  size_t runs_per_batch_max = 2000;         // some 100 KB
  int writes_in_flight_max = 16;            // checkpoints of different keys
  Duration checkpoint_limit = minutes(10);  // of one batch; then the key waits for a takeover
};

}  // namespace farshore::linker
