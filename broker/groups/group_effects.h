// GroupEffects: the answers, writes and notes that a call of a Group leaves to its owner, in any order.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "broker/groups/group_messages.h"
#include "proto/kafka/messages/group_records.h"

namespace farshore::broker {

// A ticket names one waiting request; it is answered exactly once.
struct GroupEffects {
  // `value` is to be appended to the log; then Group::written(token, ...) is called, in the order of the log.
  struct Write {
    uint64_t token = 0;
    kafka::GroupMetadataValue value;
  };
  std::vector<std::pair<Ticket, JoinAnswer>> joins;
  std::vector<std::pair<Ticket, SyncAnswer>> syncs;
  std::vector<Write> writes;
  struct Note {  // for the log file and the metrics
    enum class What : uint8_t { kRebalance, kMemberLost, kMemberLeft } what;
    std::string text;
  };
  std::vector<Note> notes;
  void note(Note::What what, std::string text) {
    Note note;
    note.what = what;
    note.text = std::move(text);
    notes.push_back(std::move(note));
  }
};

}  // namespace farshore::broker
