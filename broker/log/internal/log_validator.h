// The rules for batches that a client wrote, as far as one run and the topic's settings tell them (KIP-32, KIP-98;
// Kafka's LogValidator). Sequences and transactions are ProducerState's.
#pragma once

#include <optional>
#include <string_view>

#include "broker/log/log.h"

namespace farshore {

// The outcome for a refused append. `why` and the batch's record count go into the refusal text.
AppendInfo refuse_append(AppendOutcome outcome, const BatchHeader& header, std::string_view why);

// nullopt: the log may append the run. kCorrupt: the records cannot be read (they are read only if the topic is
// compacted, because then each needs a key).
// Many records take many turns (TurnBudget). The caller keeps `run` and `options` until it ends.
Task<Result<std::optional<AppendInfo>>> validate_client_run(Reactor& reactor, const BatchRun& run,
                                                            const LogOptions& options, int64_t now_ms);

}  // namespace farshore
