// How a link reads its source: limits and waits of the fetch session (fetcher.h) and of reading ahead (catch_up.h).
#pragma once

#include <cstddef>

#include "base/time.h"

namespace farshore::replicator {

struct FetcherOptions {
  Duration max_wait = milliseconds(500);      // of a long poll at the source
  Duration silence_max = milliseconds(9500);  // beyond max_wait, for a whole response
  Duration lag_target = milliseconds(2);      // after a small response, the next fetch may wait this long for more
  size_t small_response_bytes = 64 << 10;
  size_t response_bytes_max = 32 << 20;
  size_t partition_bytes_max = 16 << 20;
  Duration backoff_min = milliseconds(50), backoff_max = seconds(2);
  Duration partition_backoff = milliseconds(300);  // after an error of one partition
  // The least window of bytes that are received and not yet acknowledged (Fetcher::window_bytes): small enough to stay
  // in a cache.
  size_t window_bytes_min = 8 << 20;

  // A partition that is far behind is read ahead (catch_up.h) if a round trip takes at least this long.
  Duration ahead_round_trip_min = milliseconds(10);
  // Size of one fetch ahead (larger where batches are large). The first ones are smaller. A partition that is nearer to
  // the end than the smallest is read by the session.
  size_t ahead_ask_bytes = 4 << 20, ahead_ask_bytes_min = 256 << 10;
  Duration ahead_backoff = seconds(1);  // after reading ahead failed
  size_t ahead_bytes_max = 48 << 20;    // asked for at a time; 0: never read ahead
};

}  // namespace farshore::replicator
