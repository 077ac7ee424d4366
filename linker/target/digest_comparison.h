// DigestComparison: compares a mirror topic with its source by digests of batches that both Farshore ends compute.
//
// A partition is compared piece by piece, so that a broker never works on one request for long: a piece is so large
// that an answer takes about kPieceTime, and the brokers get as much time between two pieces. A piece that differs is
// looked at again: if the source has deleted records meanwhile (retention), the comparison goes on behind them.
// Otherwise the piece is cut into smaller ones until the first batch that differs is found.
//
// A source that compacts rewrites its older batches, and a mirror keeps them as they were. Each end says up to where
// its cleaner ever changed batches (compacted_to), also if the topic is not compacted any more. Below that, a
// difference is no fault: only what follows it is comparable, and the result says where that begins. At or above it, a
// difference is reported. Brokers before version 4 of MirrorControl do not say it: then cleanup.policy decides.
// Executor: the Env's. Deadlines are the caller's; a single question has kQuestionLimit, so that an end that falls
// silent is noticed.
#pragma once

#include <algorithm>

#include "linker/target/link_target.h"

namespace farshore::linker {

class DigestComparison {
 public:
  // References outlive it. `policy_compacts`: the source's cleanup.policy has compact now.
  DigestComparison(Env& env, MirrorClient& source, MirrorClient& target, TargetTopic topic, int32_t partitions,
                   bool policy_compacts)
      : env_(env),
        source_(source),
        target_(target),
        topic_(std::move(topic)),
        partitions_(partitions),
        policy_compacts_(policy_compacts) {}

  // Calls `verified` once per partition, also for those that one end cannot describe (with the error). An ended mirror
  // is compared up to its end.
  Task<Status> run(LinkTarget::Verified verified, Deadline deadline);

 private:
  static constexpr Duration kQuestionLimit = seconds(60);
  static constexpr Duration kPieceTime = milliseconds(25);
  static constexpr int64_t kFirstPiece = 1024, kLargestPiece = 1 << 22;  // in offsets

  Deadline question(Deadline deadline) const { return std::min(deadline, env_.in(kQuestionLimit)); }
  struct Both {
    MirrorPartitionAnswer source, target;
    bool equal() const { return source.digests == target.digests; }
  };
  // What both ends have of one partition now: the range that can be compared, or an error in `out`.
  Task<Status> look(api::VerifyProgress& out, Deadline deadline);
  void note_compaction(const MirrorPartitionAnswer& source, const MirrorPartitionAnswer& target);
  Task<Status> compare(api::VerifyProgress& out, Deadline deadline);
  std::string compaction_note(int64_t low, int64_t high) const;
  Task<Result<Both>> digests(int32_t partition, int64_t low, int64_t high, int32_t ranges, Deadline deadline);
  // [low, high) differs. True: not any more, by what both ends say now; the range in `out` is what is left.
  Task<Result<bool>> explained_by_deletion(api::VerifyProgress& out, int64_t low, int64_t high, Deadline deadline);
  Task<Status> find_first_difference(api::VerifyProgress& out, int64_t low, int64_t high, Deadline deadline);
  // The offset in [low, high] from which on both ends agree.
  Task<Result<int64_t>> equal_from(int32_t partition, int64_t low, int64_t high, Deadline deadline);
  // The part of [low, high) in which the two ends differ first. Sets first_difference in `out`; false: that is as near
  // as digests can tell.
  static bool narrow(const Both& both, int64_t& low, int64_t& high, api::VerifyProgress& out);

  Env& env_;
  MirrorClient& source_;
  MirrorClient& target_;
  const TargetTopic topic_;
  const int32_t partitions_;
  const bool policy_compacts_;
  // Of the partition at hand, as of the last look().
  int64_t compacted_to_ = 0;
  bool compaction_known_ = true, source_compacted_ = false;
};

}  // namespace farshore::linker
