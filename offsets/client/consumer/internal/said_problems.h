// SaidProblems: which problems poll() has told already. A problem that lasts is told at once and then every 10 s, not
// at each attempt. Pure.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "offsets/client/problem.h"

namespace farshore::client {

class SaidProblems {
 public:
  using Millis = std::chrono::milliseconds;  // since any fixed point in time
  static constexpr Millis kAgain = std::chrono::seconds(10);
  static constexpr size_t kTextsMax = 64;

  // True if the application should hear of it now.
  bool tell(const Problem& problem, Millis now) {
    // librdkafka ends its texts with how long and how often: "(after 301ms in state AUTH_REQ, 1 identical ...)".
    const std::string text = problem.text.substr(0, problem.text.find(" (after "));
    auto [found, is_new] = said_.try_emplace(text, now);
    if (!is_new && now - found->second < kAgain) return false;
    found->second = now;
    if (said_.size() > kTextsMax) said_ = {{text, now}};
    return true;
  }

 private:
  std::map<std::string, Millis> said_;  // text -> when
};

}  // namespace farshore::client
