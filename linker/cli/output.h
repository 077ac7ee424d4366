// How the command line prints: aligned tables for people, JSON with the API's field names (numbers as numbers) for
// programs.
#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace farshore::cli {

enum class Format : uint8_t { kHuman, kJson };

// Every field, also those at their default, so that scripts need not guess.
nlohmann::ordered_json to_json(const google::protobuf::Message& message);

class Table {
 public:
  explicit Table(std::vector<std::string> columns) : rows_{std::move(columns)} {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.size() == 1; }
  std::string to_string() const;  // columns as wide as their widest cell; no trailing blanks

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string human_bytes(double bytes);      // 3.4 MiB
std::string human_duration_ms(int64_t ms);  // 120 ms, 3.4 s, 5 min 2 s, 3 h 4 min
std::string human_count(int64_t n);         // 1,234,567
// Of a lag: "unknown" if it is negative; "at least N" if some of its partitions are unknown.
std::string human_lag(int64_t records, int32_t unknown_partitions);
std::string human_lag_ms(int64_t ms);
// Of lost records: "3 ranges, 120 offsets"; empty: none.
std::string human_losses(int64_t ranges, int64_t offsets);
// Of topics that are fenced: "3 topics take no writes at the source; ...".
std::string human_fences(int64_t topics);
// Why a topic is in its state, and why its source takes no writes; either may be empty.
std::string human_reason(const std::string& reason, const std::string& source_fence);
std::string human_ago_ms(int64_t ms);        // "3.4 s ago"; "never" if it is negative
std::string human_time_ms(int64_t unix_ms);  // 2026-11-23 10:20:30Z; "-" for 0

}  // namespace farshore::cli
