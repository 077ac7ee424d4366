#include "tests/net_proxy/network_conditions.h"

#include <charconv>
#include <limits>
#include <vector>

namespace farshore::net_proxy {

namespace {

Error wrong(std::string_view what, std::string_view text, std::string_view wanted) {
  return Error(ErrorCode::kInvalidArgument,
               std::string(what) + " '" + std::string(text) + "': wanted " + std::string(wanted));
}

// Reads the number at the front of `text` and removes it from `text`.
bool take_number(std::string_view& text, uint64_t& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

Result<uint64_t> parse_bytes(std::string_view text) {
  std::string_view unit = text;
  uint64_t number = 0, factor = 0;
  if (take_number(unit, number)) {
    if (unit.empty() || unit == "B") factor = 1;
    if (unit == "KB") factor = 1'000;
    if (unit == "MB") factor = 1'000'000;
    if (unit == "KiB") factor = 1 << 10;
    if (unit == "MiB") factor = 1 << 20;
  }
  if (factor == 0 || number > std::numeric_limits<int64_t>::max() / factor)
    return wrong("size", text, "a number of B, KB, MB, KiB or MiB");
  return number * factor;
}

// No direction means both.
Result<BothWays> parse_ways(const std::vector<std::string_view>& words) {
  if (words.size() == 1) return BothWays{true, true};
  if (words.size() == 2 && words[1] == "forward") return BothWays{true, false};
  if (words.size() == 2 && words[1] == "back") return BothWays{false, true};
  return wrong("direction", words[1], "forward, back, or nothing for both");
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  std::string_view unit = text;
  uint64_t number = 0, factor = 0;
  if (take_number(unit, number)) {
    if (unit == "us") factor = 1'000;
    if (unit == "ms") factor = 1'000'000;
    if (unit == "s") factor = 1'000'000'000;
  }
  if (factor == 0 || number > std::numeric_limits<int64_t>::max() / factor)
    return wrong("duration", text, "a number of us, ms or s");
  return Duration(static_cast<int64_t>(number * factor));
}

Result<Event> apply_command(std::string_view command, NetworkConditions& conditions) {
  const std::vector<std::string_view> words = split(command);
  if (words.empty()) return Event::kNone;
  const std::string_view name = words[0];

  if (name == "blackhole" || name == "swallow") {
    FARSHORE_TRY(BothWays ways, parse_ways(words));
    BothWays& fault = name == "swallow" ? conditions.swallowed : conditions.black_hole;
    for (Direction way : {kForward, kBack}) fault[way] = fault[way] || ways[way];
    return Event::kNone;
  }
  if (words.size() == 1) {
    if (name == "reset") return Event::kReset;
    if (name == "halfopen") return Event::kHalfOpen;
    if (name == "stats") return Event::kStats;
    if (name == "quit") return Event::kQuit;
    if (name == "cut") {
      conditions.cut = true;
      return Event::kCut;
    }
    if (name == "heal") {
      conditions.cut = false;
      conditions.black_hole = conditions.swallowed = {};
      return Event::kHeal;
    }
  }
  if (words.size() == 2) {
    if (name == "rtt") {
      FARSHORE_TRY(Duration rtt, parse_duration(words[1]));
      conditions.one_way_delay = rtt / 2;
      return Event::kNone;
    }
    if (name == "jitter") {
      FARSHORE_TRY(conditions.jitter, parse_duration(words[1]));
      return Event::kNone;
    }
    if (name == "bandwidth") {
      FARSHORE_TRY(conditions.bytes_per_s, parse_bytes(words[1]));
      return Event::kNone;
    }
    if (name == "chunk") {
      FARSHORE_TRY(conditions.chunk_bytes, parse_bytes(words[1]));
      return Event::kNone;
    }
    if (name == "buffer") {
      FARSHORE_TRY(conditions.buffer_bytes_max, parse_bytes(words[1]));
      if (conditions.buffer_bytes_max == 0) return wrong("buffer", words[1], "at least one byte");
      return Event::kNone;
    }
  }
  return wrong("command", command,
               "rtt T, jitter T, bandwidth SIZE (per second), chunk SIZE, buffer SIZE, cut, reset, halfopen, "
               "blackhole [forward|back], swallow [forward|back], heal, stats or quit");
}

}  // namespace farshore::net_proxy
