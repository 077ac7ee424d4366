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
  out.limit = out.ended ? found->second.failover_offset.value_or(-1) : found->second.end_offset;
  if (out.limit < 0) {  // not a range: the partition is offline at the target, and the answer comes when it is back
    out.problem = {Problem::Kind::kUnavailable,
                   out.ended ? "the failover offset is not known yet" : "how far it is mirrored is not known yet"};
    return out;
  }
  if (offset < 0 || offset > out.limit)
    out.problem = {Problem::Kind::kOutOfRange, "offset " + std::to_string(offset) + " is not in [0, " +
                                                   std::to_string(out.limit) + "], " +
                                                   (out.ended ? "where the mirror ended" : "what is mirrored so far")};
  return out;
}

}  // namespace farshore::client
