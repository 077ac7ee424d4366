#include "linker/link/model/fence_recovery.h"

#include <utility>

namespace farshore::linker {
namespace {

constexpr Duration kReadLimit = seconds(20);          // of the stored definition
constexpr Duration kFencedPause = milliseconds(500);  // for the other gateway to notice

}  // namespace

FenceRecovery::FenceRecovery(Env& env, LinkOwnership& ownership, MirrorTopics& topics,
                             replicator::Replicator& replicator, Event& stopping, Gate& gate)
    : env_(env), ownership_(ownership), topics_(topics), replicator_(replicator), stopping_(stopping), gate_(gate) {}

void FenceRecovery::fenced(const LinkPartition& key, const Error& why) {
  fenced_[key] = why;
  if (!recovering_) recovering_ = spawn(gate_, "fence recovery", recover());
}

Task<void> FenceRecovery::recover() {
  while (!fenced_.empty() && !stopping_.is_set()) {
    // Taken before the definition is read: a partition that is fenced later needs a later answer.
    auto fenced = std::exchange(fenced_, {});
    auto ours = co_await ownership_.doubt(env_.in(kReadLimit));
    const bool unknown = !ours && ours.error() != ErrorCode::kFenced;
    if (!ours && !unknown)
      for (const auto& [key, why] : fenced) topics_.fail_partition(key, why.to_string());
    if (ours || unknown) (void)co_await stopping_.wait(env_.in(kFencedPause));
    if (unknown) fenced_.merge(fenced);
    if (ours && !stopping_.is_set())
      for (const auto& [key, why] : fenced) take_back(key, why);
  }
  recovering_ = false;
}

void FenceRecovery::take_back(const LinkPartition& key, const Error& why) {
  const MirrorTopic* topic = topics_.of_pump(key);
  const auto progress = replicator_.progress(key);
  if (!topic || !topic->pumping() || !progress || progress->pump.phase != replicator::PumpPhase::kFailed) return;
  env_.log().warn("a partition is taken back from a gateway that has lost control",
                  {{"partition", topics_.partition_name(key)}, {"error", why}});
  replicator_.restart(key);
}

}  // namespace farshore::linker
