// LinkStatus: the state of one running link (link_state.h has the states and their transitions), and the time of the
// source's last answer. The state that the operator wants is stored in the LinkDefinition; this one also knows
// UNAVAILABLE and FAILED. Executor: the Env's. Owner: Link.
#pragma once

#include <string>

#include "base/env.h"
#include "proto/link/link_state.h"

namespace farshore::linker {

class LinkStatus {
 public:
  // `link` is the link's name, for the log. The source counts as having answered now.
  LinkStatus(Env& env, std::string link, LinkState state, std::string reason);

  LinkState state() const { return state_; }
  const std::string& reason() const { return reason_; }
  int64_t since_ms() const { return since_ms_; }  // wall clock, Unix epoch

  // Logs the change. A change that the table of link_state.h does not have is ignored: a FAILED link stays FAILED until
  // its operator resumes it.
  void set(LinkState state, std::string reason);
  // FAILED, because another gateway has taken the link over.
  void lost_to_another_gateway();

  void source_answered(MonoTime at);
  MonoTime last_source_contact() const { return last_source_contact_; }

 private:
  Env& env_;
  const std::string link_;
  LinkState state_;
  std::string reason_;
  int64_t since_ms_;
  MonoTime last_source_contact_;
};

}  // namespace farshore::linker
