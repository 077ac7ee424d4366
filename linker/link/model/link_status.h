// LinkStatus: the state of one running link (link_state.h has the states and their transitions), and the times of the
// last answers of source and target. The state that the operator wants is stored in the LinkDefinition; this one also
// knows UNAVAILABLE and FAILED. A link that another gateway has, or that was deleted, is fenced here: FAILED for good,
// and nothing of it may write at the target any more (OwnershipWatch stops what runs; verbs and tasks ask
// check_ours()). Executor: the Env's. Owner: Link.
#pragma once

#include <optional>
#include <string>

#include "base/env.h"
#include "proto/link/link_state.h"

namespace farshore::linker {

class LinkStatus {
 public:
  // `link` is the link's name, for the log.
  LinkStatus(Env& env, std::string link, LinkState state, std::string reason);

  LinkState state() const { return state_; }
  const std::string& reason() const { return reason_; }
  int64_t since_ms() const { return since_ms_; }  // wall clock, Unix epoch

  // Logs the change. A change that the table of link_state.h does not have is ignored: a FAILED link stays FAILED until
  // its operator resumes it, and for good if it is fenced.
  void set(LinkState state, std::string reason);
  // FAILED for good, because this link is another gateway's now, or was deleted.
  void fence(std::string reason);
  bool fenced() const { return fenced_; }
  // Fenced, because another gateway deleted the link: LinkRegistry forgets it.
  void deleted(std::string reason) {
    fence(std::move(reason));
    deleted_ = true;
  }
  bool is_deleted() const { return deleted_; }
  // kFenced: with the reason and the way out.
  Status check_ours() const;

  void source_answered(MonoTime at);
  void target_answered(MonoTime at);
  // nullopt: it has not answered this gateway yet.
  std::optional<MonoTime> last_source_contact() const { return last_source_contact_; }
  std::optional<MonoTime> last_target_contact() const { return last_target_contact_; }
  // Since its last answer, or since this gateway runs the link.
  Duration source_silent_for() const { return env_.now() - last_source_contact_.value_or(begun_); }
  Duration target_silent_for() const { return env_.now() - last_target_contact_.value_or(begun_); }

 private:
  Env& env_;
  const std::string link_;
  LinkState state_;
  std::string reason_;
  int64_t since_ms_;
  const MonoTime begun_;
  std::optional<MonoTime> last_source_contact_, last_target_contact_;
  bool fenced_ = false, deleted_ = false;
};

}  // namespace farshore::linker
