// ProducerIdentity: the producer id and the epoch that a producer writes into its batches (KIP-98). A broker refuses
// batches of an older epoch of the same id once the partition has seen a newer one.
#pragma once

#include <compare>
#include <cstdint>

namespace farshore::kafka {

struct ProducerIdentity {
  int64_t id = -1;
  int16_t epoch = -1;
  friend auto operator<=>(const ProducerIdentity&, const ProducerIdentity&) = default;
};

}  // namespace farshore::kafka
