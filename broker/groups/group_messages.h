// The requests and answers of a Group: those of the group APIs, without versions. Handlers translate.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/budget.h"
#include "base/time.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/wire_types.h"

namespace farshore::broker {

using Ticket = uint64_t;  // one waiting request; 0: none

struct GroupNow {
  MonoTime mono;
  WallTime wall;
};

struct GroupProtocol {
  std::string name;
  kafka::Bytes metadata;
  friend bool operator==(const GroupProtocol&, const GroupProtocol&) = default;
};

// What a member takes of the memory that the members of all groups share. It goes with the member.
struct HeldMemory {
  std::shared_ptr<Budget> budget;  // goes after the token
  Budget::Token token;
};

inline std::shared_ptr<HeldMemory> hold_memory(std::shared_ptr<Budget> budget, size_t bytes) {
  auto held = std::make_shared<HeldMemory>();
  held->token = budget->take(bytes);
  held->budget = std::move(budget);
  return held;
}

struct MemberIdentity {
  std::string member_id;
  std::optional<std::string> instance_id;  // group.instance.id (KIP-345)
  std::string reason;                      // LeaveGroup 5 (KIP-800)
};

struct JoinRequest {
  std::string member_id;  // empty: a new member
  std::optional<std::string> instance_id;
  std::string client_id, client_host;
  int32_t session_timeout_ms = 0, rebalance_timeout_ms = 0;
  std::string protocol_type;
  std::vector<GroupProtocol> protocols;
  bool needs_known_member_id = false;  // JoinGroup 4+ (KIP-394)
  bool can_skip_assignment = false;    // JoinGroup 9+ (KIP-814)
  std::string reason;
  std::string new_member_id;         // made by the caller: used if the member gets one
  std::shared_ptr<HeldMemory> held;  // the member keeps it
};

struct JoinAnswer {
  struct Member {
    std::string member_id;
    std::optional<std::string> instance_id;
    kafka::Bytes metadata;
  };
  kafka::ErrorCode error = kafka::ErrorCode::kNone;
  int32_t generation = -1;
  std::optional<std::string> protocol_type, protocol_name;
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<Member> members;  // for the leader only
};

struct SyncRequest {
  MemberIdentity member;
  int32_t generation = -1;
  std::optional<std::string> protocol_type, protocol_name;
  std::vector<std::pair<std::string, kafka::Bytes>> assignments;  // member id -> assignment, from the leader
};

struct SyncAnswer {
  kafka::ErrorCode error = kafka::ErrorCode::kNone;
  std::optional<std::string> protocol_type, protocol_name;
  kafka::Bytes assignment;
};

inline JoinAnswer join_error(kafka::ErrorCode error, std::string member_id) {
  JoinAnswer answer;
  answer.error = error;
  answer.member_id = std::move(member_id);
  return answer;
}

inline SyncAnswer sync_error(kafka::ErrorCode error) {
  SyncAnswer answer;
  answer.error = error;
  return answer;
}

// What a member that joins so takes in memory.
inline size_t memory_bytes(const JoinRequest& request) {
  size_t bytes = sizeof(request) + request.client_id.size() + request.client_host.size() + request.protocol_type.size();
  if (request.instance_id) bytes += request.instance_id->size();
  for (const auto& protocol : request.protocols)
    bytes += sizeof(protocol) + protocol.name.size() + protocol.metadata.size();
  return bytes;
}

// Of that, what the group's record is certain to have if the group selects `protocol`: the member's id is made of its
// client id.
inline size_t record_bytes(const JoinRequest& request, const GroupProtocol& protocol) {
  return 2 * request.client_id.size() + request.client_host.size() + protocol.metadata.size();
}

// The reason that a client gave (KIP-800), for the log file.
inline std::string reason_text(const std::string& reason) {
  return "; client reason: " + (reason.empty() ? std::string("not provided") : reason);
}

struct GroupDescription {
  struct Member {
    std::string member_id;
    std::optional<std::string> instance_id;
    std::string client_id, client_host;
    kafka::Bytes metadata, assignment;  // empty unless the group is Stable
  };
  std::string state, protocol_type, protocol;
  std::vector<Member> members;
};

}  // namespace farshore::broker
