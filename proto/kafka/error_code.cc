#include "proto/kafka/error_code.h"

#include <string>

#include "base/ensure.h"

namespace farshore::kafka {
namespace {

constexpr ErrorInfo kErrors[] = {
    {ErrorCode::kUnknownServerError, "UNKNOWN_SERVER_ERROR", false, "the server failed in a way that has no code"},
    {ErrorCode::kNone, "NONE", false, "no error"},
    {ErrorCode::kOffsetOutOfRange, "OFFSET_OUT_OF_RANGE", false, "the offset is outside what the partition holds"},
    {ErrorCode::kCorruptMessage, "CORRUPT_MESSAGE", true, "the record batch is damaged or not acceptable"},
    {ErrorCode::kUnknownTopicOrPartition, "UNKNOWN_TOPIC_OR_PARTITION", true,
     "this server has no such topic or partition"},
    {ErrorCode::kInvalidFetchSize, "INVALID_FETCH_SIZE", false, "invalid fetch size"},
    {ErrorCode::kLeaderNotAvailable, "LEADER_NOT_AVAILABLE", true, "the partition has no leader at this moment"},
    {ErrorCode::kNotLeaderOrFollower, "NOT_LEADER_OR_FOLLOWER", true,
     "this broker does not hold the partition: ask for metadata again"},
    {ErrorCode::kRequestTimedOut, "REQUEST_TIMED_OUT", true, "not done in time; it may or may not have happened"},
    {ErrorCode::kBrokerNotAvailable, "BROKER_NOT_AVAILABLE", false, "broker not available"},
    {ErrorCode::kReplicaNotAvailable, "REPLICA_NOT_AVAILABLE", true, "replica not available"},
    {ErrorCode::kMessageTooLarge, "MESSAGE_TOO_LARGE", false, "the record batch is larger than the topic accepts"},
    {ErrorCode::kStaleControllerEpoch, "STALE_CONTROLLER_EPOCH", false, "stale controller epoch"},
    {ErrorCode::kOffsetMetadataTooLarge, "OFFSET_METADATA_TOO_LARGE", false,
     "the metadata text of the offset is too large"},
    {ErrorCode::kNetworkException, "NETWORK_EXCEPTION", true, "network exception"},
    {ErrorCode::kCoordinatorLoadInProgress, "COORDINATOR_LOAD_IN_PROGRESS", true,
     "the coordinator is reading its state"},
    {ErrorCode::kCoordinatorNotAvailable, "COORDINATOR_NOT_AVAILABLE", true,
     "the coordinator is not available: find it again"},
    {ErrorCode::kNotCoordinator, "NOT_COORDINATOR", true, "this broker is not the coordinator: find it again"},
    {ErrorCode::kInvalidTopicException, "INVALID_TOPIC_EXCEPTION", false,
     "the topic name, or the operation on this topic, is not allowed"},
    {ErrorCode::kRecordListTooLarge, "RECORD_LIST_TOO_LARGE", false, "record list too large"},
    {ErrorCode::kNotEnoughReplicas, "NOT_ENOUGH_REPLICAS", true, "fewer replicas are in sync than the topic asks for"},
    {ErrorCode::kNotEnoughReplicasAfterAppend, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", true,
     "not enough replicas after append"},
    {ErrorCode::kInvalidRequiredAcks, "INVALID_REQUIRED_ACKS", false, "acks is none of 0, 1 and -1"},
    {ErrorCode::kIllegalGeneration, "ILLEGAL_GENERATION", false, "the generation is not the current one of the group"},
    {ErrorCode::kInconsistentGroupProtocol, "INCONSISTENT_GROUP_PROTOCOL", false,
     "no protocol in common with the members of the group"},
    {ErrorCode::kInvalidGroupId, "INVALID_GROUP_ID", false, "the group id is not allowed"},
    {ErrorCode::kUnknownMemberId, "UNKNOWN_MEMBER_ID", false, "the group has no such member"},
    {ErrorCode::kInvalidSessionTimeout, "INVALID_SESSION_TIMEOUT", false,
     "the session timeout is outside the bounds of the broker"},
    {ErrorCode::kRebalanceInProgress, "REBALANCE_IN_PROGRESS", false, "the group rebalances: join again"},
    {ErrorCode::kInvalidCommitOffsetSize, "INVALID_COMMIT_OFFSET_SIZE", false, "the commit is too large to be written"},
    {ErrorCode::kTopicAuthorizationFailed, "TOPIC_AUTHORIZATION_FAILED", false, "not allowed on this topic"},
    {ErrorCode::kGroupAuthorizationFailed, "GROUP_AUTHORIZATION_FAILED", false, "not allowed on this group"},
    {ErrorCode::kClusterAuthorizationFailed, "CLUSTER_AUTHORIZATION_FAILED", false, "not allowed on this cluster"},
    {ErrorCode::kInvalidTimestamp, "INVALID_TIMESTAMP", false, "a timestamp is outside what the topic accepts"},
    {ErrorCode::kUnsupportedSaslMechanism, "UNSUPPORTED_SASL_MECHANISM", false, "unsupported sasl mechanism"},
    {ErrorCode::kIllegalSaslState, "ILLEGAL_SASL_STATE", false, "illegal sasl state"},
    {ErrorCode::kUnsupportedVersion, "UNSUPPORTED_VERSION", false, "this version of the request is not served"},
    {ErrorCode::kTopicAlreadyExists, "TOPIC_ALREADY_EXISTS", false, "there is a topic of this name"},
    {ErrorCode::kInvalidPartitions, "INVALID_PARTITIONS", false, "the number of partitions is not possible"},
    {ErrorCode::kInvalidReplicationFactor, "INVALID_REPLICATION_FACTOR", false, "invalid replication factor"},
    {ErrorCode::kInvalidReplicaAssignment, "INVALID_REPLICA_ASSIGNMENT", false, "invalid replica assignment"},
    {ErrorCode::kInvalidConfig, "INVALID_CONFIG", false, "a config key or value is not possible"},
    {ErrorCode::kNotController, "NOT_CONTROLLER", true, "this broker is not the controller"},
    {ErrorCode::kInvalidRequest, "INVALID_REQUEST", false,
     "the request contradicts itself or asks for something impossible"},
    {ErrorCode::kUnsupportedForMessageFormat, "UNSUPPORTED_FOR_MESSAGE_FORMAT", false,
     "unsupported for message format"},
    {ErrorCode::kPolicyViolation, "POLICY_VIOLATION", false, "a policy or limit of the cluster refuses it"},
    {ErrorCode::kOutOfOrderSequenceNumber, "OUT_OF_ORDER_SEQUENCE_NUMBER", false,
     "a batch of this producer is missing before this one"},
    {ErrorCode::kDuplicateSequenceNumber, "DUPLICATE_SEQUENCE_NUMBER", false, "the batch was written before"},
    {ErrorCode::kInvalidProducerEpoch, "INVALID_PRODUCER_EPOCH", false,
     "a newer instance of this producer has written"},
    {ErrorCode::kInvalidTxnState, "INVALID_TXN_STATE", false, "invalid txn state"},
    {ErrorCode::kInvalidProducerIdMapping, "INVALID_PRODUCER_ID_MAPPING", false, "invalid producer id mapping"},
    {ErrorCode::kInvalidTransactionTimeout, "INVALID_TRANSACTION_TIMEOUT", false, "invalid transaction timeout"},
    {ErrorCode::kConcurrentTransactions, "CONCURRENT_TRANSACTIONS", true, "concurrent transactions"},
    {ErrorCode::kTransactionCoordinatorFenced, "TRANSACTION_COORDINATOR_FENCED", false,
     "transaction coordinator fenced"},
    {ErrorCode::kTransactionalIdAuthorizationFailed, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", false,
     "transactional id authorization failed"},
    {ErrorCode::kSecurityDisabled, "SECURITY_DISABLED", false, "security disabled"},
    {ErrorCode::kOperationNotAttempted, "OPERATION_NOT_ATTEMPTED", false, "operation not attempted"},
    {ErrorCode::kKafkaStorageError, "KAFKA_STORAGE_ERROR", true, "the disk failed or is full"},
    {ErrorCode::kLogDirNotFound, "LOG_DIR_NOT_FOUND", false, "log dir not found"},
    {ErrorCode::kSaslAuthenticationFailed, "SASL_AUTHENTICATION_FAILED", false, "sasl authentication failed"},
    {ErrorCode::kUnknownProducerId, "UNKNOWN_PRODUCER_ID", false, "nothing is known of this producer"},
    {ErrorCode::kReassignmentInProgress, "REASSIGNMENT_IN_PROGRESS", false, "reassignment in progress"},
    {ErrorCode::kDelegationTokenAuthDisabled, "DELEGATION_TOKEN_AUTH_DISABLED", false,
     "delegation token auth disabled"},
    {ErrorCode::kDelegationTokenNotFound, "DELEGATION_TOKEN_NOT_FOUND", false, "delegation token not found"},
    {ErrorCode::kDelegationTokenOwnerMismatch, "DELEGATION_TOKEN_OWNER_MISMATCH", false,
     "delegation token owner mismatch"},
    {ErrorCode::kDelegationTokenRequestNotAllowed, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", false,
     "delegation token request not allowed"},
    {ErrorCode::kDelegationTokenAuthorizationFailed, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", false,
     "delegation token authorization failed"},
    {ErrorCode::kDelegationTokenExpired, "DELEGATION_TOKEN_EXPIRED", false, "delegation token expired"},
    {ErrorCode::kInvalidPrincipalType, "INVALID_PRINCIPAL_TYPE", false, "invalid principal type"},
    {ErrorCode::kNonEmptyGroup, "NON_EMPTY_GROUP", false, "the group has members"},
    {ErrorCode::kGroupIdNotFound, "GROUP_ID_NOT_FOUND", false, "there is no such group"},
    {ErrorCode::kFetchSessionIdNotFound, "FETCH_SESSION_ID_NOT_FOUND", true,
     "the fetch session is gone: begin a new one"},
    {ErrorCode::kInvalidFetchSessionEpoch, "INVALID_FETCH_SESSION_EPOCH", true,
     "the fetch session is at another epoch: begin a new one"},
    {ErrorCode::kListenerNotFound, "LISTENER_NOT_FOUND", true, "listener not found"},
    {ErrorCode::kTopicDeletionDisabled, "TOPIC_DELETION_DISABLED", false, "deleting topics is switched off"},
    {ErrorCode::kFencedLeaderEpoch, "FENCED_LEADER_EPOCH", true, "the leader epoch is older than the current one"},
    {ErrorCode::kUnknownLeaderEpoch, "UNKNOWN_LEADER_EPOCH", true,
     "the leader epoch is newer than what this broker knows"},
    {ErrorCode::kUnsupportedCompressionType, "UNSUPPORTED_COMPRESSION_TYPE", false, "unsupported compression type"},
    {ErrorCode::kStaleBrokerEpoch, "STALE_BROKER_EPOCH", false, "stale broker epoch"},
    {ErrorCode::kOffsetNotAvailable, "OFFSET_NOT_AVAILABLE", true, "offset not available"},
    {ErrorCode::kMemberIdRequired, "MEMBER_ID_REQUIRED", false, "join again with the member id of this answer"},
    {ErrorCode::kPreferredLeaderNotAvailable, "PREFERRED_LEADER_NOT_AVAILABLE", true, "preferred leader not available"},
    {ErrorCode::kGroupMaxSizeReached, "GROUP_MAX_SIZE_REACHED", false, "the group has as many members as it may have"},
    {ErrorCode::kFencedInstanceId, "FENCED_INSTANCE_ID", false, "another member has taken this group.instance.id"},
    {ErrorCode::kEligibleLeadersNotAvailable, "ELIGIBLE_LEADERS_NOT_AVAILABLE", true, "eligible leaders not available"},
    {ErrorCode::kElectionNotNeeded, "ELECTION_NOT_NEEDED", true, "election not needed"},
    {ErrorCode::kNoReassignmentInProgress, "NO_REASSIGNMENT_IN_PROGRESS", false, "no reassignment in progress"},
    {ErrorCode::kGroupSubscribedToTopic, "GROUP_SUBSCRIBED_TO_TOPIC", false, "members of the group read this topic"},
    {ErrorCode::kInvalidRecord, "INVALID_RECORD", false, "a record is not acceptable to the topic"},
    {ErrorCode::kUnstableOffsetCommit, "UNSTABLE_OFFSET_COMMIT", true, "unstable offset commit"},
    {ErrorCode::kThrottlingQuotaExceeded, "THROTTLING_QUOTA_EXCEEDED", true, "throttling quota exceeded"},
    {ErrorCode::kProducerFenced, "PRODUCER_FENCED", false, "producer fenced"},
    {ErrorCode::kResourceNotFound, "RESOURCE_NOT_FOUND", false, "resource not found"},
    {ErrorCode::kDuplicateResource, "DUPLICATE_RESOURCE", false, "duplicate resource"},
    {ErrorCode::kUnacceptableCredential, "UNACCEPTABLE_CREDENTIAL", false, "unacceptable credential"},
    {ErrorCode::kInconsistentVoterSet, "INCONSISTENT_VOTER_SET", false, "inconsistent voter set"},
    {ErrorCode::kInvalidUpdateVersion, "INVALID_UPDATE_VERSION", false, "invalid update version"},
    {ErrorCode::kFeatureUpdateFailed, "FEATURE_UPDATE_FAILED", false, "feature update failed"},
    {ErrorCode::kPrincipalDeserializationFailure, "PRINCIPAL_DESERIALIZATION_FAILURE", false,
     "principal deserialization failure"},
    {ErrorCode::kSnapshotNotFound, "SNAPSHOT_NOT_FOUND", false, "snapshot not found"},
    {ErrorCode::kPositionOutOfRange, "POSITION_OUT_OF_RANGE", false, "position out of range"},
    {ErrorCode::kUnknownTopicId, "UNKNOWN_TOPIC_ID", true, "this server has no topic of this id"},
    {ErrorCode::kDuplicateBrokerRegistration, "DUPLICATE_BROKER_REGISTRATION", false, "duplicate broker registration"},
    {ErrorCode::kBrokerIdNotRegistered, "BROKER_ID_NOT_REGISTERED", false, "broker id not registered"},
    {ErrorCode::kInconsistentTopicId, "INCONSISTENT_TOPIC_ID", true, "the topic was made anew: ask for metadata again"},
    {ErrorCode::kInconsistentClusterId, "INCONSISTENT_CLUSTER_ID", false, "inconsistent cluster id"},
    {ErrorCode::kTransactionalIdNotFound, "TRANSACTIONAL_ID_NOT_FOUND", false, "transactional id not found"},
    {ErrorCode::kFetchSessionTopicIdError, "FETCH_SESSION_TOPIC_ID_ERROR", true,
     "the fetch session mixes topic names and ids: begin a new one"},
    {ErrorCode::kIneligibleReplica, "INELIGIBLE_REPLICA", false, "ineligible replica"},
    {ErrorCode::kNewLeaderElected, "NEW_LEADER_ELECTED", false, "new leader elected"},
    {ErrorCode::kOffsetMovedToTieredStorage, "OFFSET_MOVED_TO_TIERED_STORAGE", false, "offset moved to tiered storage"},
    {ErrorCode::kFencedMemberEpoch, "FENCED_MEMBER_EPOCH", false, "fenced member epoch"},
    {ErrorCode::kUnreleasedInstanceId, "UNRELEASED_INSTANCE_ID", false, "unreleased instance id"},
    {ErrorCode::kUnsupportedAssignor, "UNSUPPORTED_ASSIGNOR", false, "unsupported assignor"},
    {ErrorCode::kStaleMemberEpoch, "STALE_MEMBER_EPOCH", false, "stale member epoch"},
    {ErrorCode::kMismatchedEndpointType, "MISMATCHED_ENDPOINT_TYPE", false, "mismatched endpoint type"},
    {ErrorCode::kUnsupportedEndpointType, "UNSUPPORTED_ENDPOINT_TYPE", false, "unsupported endpoint type"},
    {ErrorCode::kUnknownControllerId, "UNKNOWN_CONTROLLER_ID", false, "unknown controller id"},
    {ErrorCode::kUnknownSubscriptionId, "UNKNOWN_SUBSCRIPTION_ID", false, "unknown subscription id"},
    {ErrorCode::kTelemetryTooLarge, "TELEMETRY_TOO_LARGE", false, "telemetry too large"},
    {ErrorCode::kInvalidRegistration, "INVALID_REGISTRATION", false, "invalid registration"},
    {ErrorCode::kTransactionAbortable, "TRANSACTION_ABORTABLE", false, "transaction abortable"},
    {ErrorCode::kInvalidRecordState, "INVALID_RECORD_STATE", false, "invalid record state"},
    {ErrorCode::kShareSessionNotFound, "SHARE_SESSION_NOT_FOUND", true, "share session not found"},
    {ErrorCode::kInvalidShareSessionEpoch, "INVALID_SHARE_SESSION_EPOCH", true, "invalid share session epoch"},
    {ErrorCode::kFencedStateEpoch, "FENCED_STATE_EPOCH", false, "fenced state epoch"},
    {ErrorCode::kInvalidVoterKey, "INVALID_VOTER_KEY", false, "invalid voter key"},
    {ErrorCode::kDuplicateVoter, "DUPLICATE_VOTER", false, "duplicate voter"},
    {ErrorCode::kVoterNotFound, "VOTER_NOT_FOUND", false, "voter not found"},
    {ErrorCode::kInvalidRegularExpression, "INVALID_REGULAR_EXPRESSION", false, "invalid regular expression"},
    {ErrorCode::kRebootstrapRequired, "REBOOTSTRAP_REQUIRED", false, "rebootstrap required"},
    {ErrorCode::kStreamsInvalidTopology, "STREAMS_INVALID_TOPOLOGY", false, "streams invalid topology"},
    {ErrorCode::kStreamsInvalidTopologyEpoch, "STREAMS_INVALID_TOPOLOGY_EPOCH", false,
     "streams invalid topology epoch"},
    {ErrorCode::kStreamsTopologyFenced, "STREAMS_TOPOLOGY_FENCED", false, "streams topology fenced"},
    {ErrorCode::kShareSessionLimitReached, "SHARE_SESSION_LIMIT_REACHED", true, "share session limit reached"},
};
constexpr int16_t kFirst = -1;
static_assert(kErrors[0].code == ErrorCode{kFirst});

constexpr bool no_gaps() {
  for (size_t i = 0; i < std::size(kErrors); ++i)
    if (static_cast<int16_t>(kErrors[i].code) != static_cast<int16_t>(i) + kFirst) return false;
  return true;
}
static_assert(no_gaps(), "find_error() indexes by code");

farshore::ErrorCode nearest(ErrorCode code) {
  using Ours = farshore::ErrorCode;
  switch (code) {
    case ErrorCode::kRequestTimedOut:
      return Ours::kTimedOut;
    case ErrorCode::kCorruptMessage:
      return Ours::kCorrupt;
    case ErrorCode::kOffsetOutOfRange:
      return Ours::kOutOfRange;
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kUnknownTopicId:
    case ErrorCode::kGroupIdNotFound:
      return Ours::kNotFound;
    case ErrorCode::kTopicAlreadyExists:
      return Ours::kAlreadyExists;
    case ErrorCode::kTopicAuthorizationFailed:
    case ErrorCode::kGroupAuthorizationFailed:
    case ErrorCode::kClusterAuthorizationFailed:
    case ErrorCode::kTransactionalIdAuthorizationFailed:
    case ErrorCode::kSaslAuthenticationFailed:
      return Ours::kPermissionDenied;
    case ErrorCode::kInvalidProducerEpoch:
    case ErrorCode::kProducerFenced:
    case ErrorCode::kFencedInstanceId:
      return Ours::kFenced;
    case ErrorCode::kUnsupportedVersion:
    case ErrorCode::kUnsupportedForMessageFormat:
    case ErrorCode::kUnsupportedCompressionType:
      return Ours::kUnsupported;
    case ErrorCode::kPolicyViolation:
    case ErrorCode::kGroupMaxSizeReached:
      return Ours::kResourceExhausted;
    case ErrorCode::kUnknownServerError:
      return Ours::kInternal;
    default:
      return error_retriable(code) ? Ours::kUnavailable : Ours::kInvalidArgument;
  }
}

}  // namespace

std::span<const ErrorInfo> errors() { return kErrors; }

const ErrorInfo* find_error(int16_t code) {
  const int index = code - kFirst;
  return index >= 0 && static_cast<size_t>(index) < std::size(kErrors) ? &kErrors[index] : nullptr;
}

std::string_view error_name(ErrorCode code) {
  const ErrorInfo* info = find_error(static_cast<int16_t>(code));
  return info ? info->name : "unknown";
}

bool error_retriable(ErrorCode code) {
  const ErrorInfo* info = find_error(static_cast<int16_t>(code));
  return info && info->retriable;
}

Error to_error(ErrorCode code, std::string_view what) {
  ensure(code != ErrorCode::kNone, "an error code that is one");
  const ErrorInfo* info = find_error(static_cast<int16_t>(code));
  std::string detail = info ? std::string(info->name) + ": " + std::string(info->text)
                            : "error code " + std::to_string(static_cast<int16_t>(code));
  return Error(nearest(code), std::move(detail)).in(what);
}

int16_t code_in(const Error& error) {
  const std::string& text = error.detail;
  for (const ErrorInfo& info : kErrors) {
    if (info.code == ErrorCode::kNone) continue;
    const std::string words = std::string(info.name) + ": " + std::string(info.text);
    const size_t at = text.find(words);
    if (at == std::string::npos) continue;
    if (at == 0 || text[at - 1] == ' ') return static_cast<int16_t>(info.code);
  }
  return 0;
}

}  // namespace farshore::kafka
