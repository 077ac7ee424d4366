#include "offsets/client/translator/internal/mirror_limit.h"

#include <string>

namespace farshore::client {

MirrorLimit mirror_limit(const TopicAtTarget* topic, int32_t partition, int64_t offset) {
  using State = TopicAtTarget::State;
  MirrorLimit out;
  if (!topic || topic->state == State::kNotThere) {
    out.problem = {Problem::Kind::kNotMirrored, "the target has no such topic"};
    return out;
  }
  if (topic->state == State::kNotMirror) {
    out.problem = {Problem::Kind::kNotMirrored, "the target's topic is not a mirror"};
    return out;
  }
  auto found = topic->partitions.find(partition);
  if (found == topic->partitions.end()) {
    out.problem = {Problem::Kind::kNotMirrored, "the target's topic has no partition " + std::to_string(partition)};
    return out;
  }
  out.ended = topic->state != State::kMirror;
  if (out.ended && !found->second.failover_offset) {
    out.problem = {Problem::Kind::kUnavailable, "the failover offset is not known yet"};
    return out;
  }
  out.limit = out.ended ? *found->second.failover_offset : found->second.end_offset;
  if (offset < 0 || offset > out.limit)
    out.problem = {Problem::Kind::kOutOfRange, "offset " + std::to_string(offset) + " is not in [0, " +
                                                   std::to_string(out.limit) + "], " +
                                                   (out.ended ? "where the mirror ended" : "what is mirrored so far")};
  return out;
}

}  // namespace farshore::client
