#include "linker/relay/journal_key.h"

#include <algorithm>

#include "offsets/translation/anchor.h"

namespace farshore::linker {
namespace {

bool same_start(const TranslationRun& a, const TranslationRun& b) {
  return a.source == b.source && a.target == b.target && a.source_epoch == b.source_epoch;
}

}  // namespace

void JournalBatch::add(const LinkPartition& key, const TranslationRun& run, bool erased) {
  RunRecord record;
  record.key = key;
  record.run = run;
  record.erased = erased;
  records.push_back(std::move(record));
}

void JournalBatch::add(const LinkPartition& key, const RelayAnchor& what) {
  AnchorRecord record;
  record.key = key;
  record.anchor = what;
  records.push_back(std::move(record));
}

void JournalBatch::erase(const LinkPartition& key, const RelayAnchor& what) {
  AnchorRecord record;
  record.key = key;
  record.anchor = what;
  record.erased = true;
  records.push_back(std::move(record));
  erased_anchors.push_back(what);
}

JournalKey::JournalKey(Reactor& reactor, const LinkPartition& partition) : name(partition), storing(reactor) {}

bool JournalKey::add(const TranslationRun& run, size_t pending_max) {
  if (open && extend_run(*open, run)) return true;
  if (open && open->length > open_logged) {
    if (closed.size() >= pending_max) {
      overflowed = true;
      return false;
    }
    closed.push_back(*open);
  }
  open = run;
  open_logged = 0;
  return true;
}

Duration JournalKey::pause() const { return std::min<Duration>(seconds(1) * (1 << std::min(failures, 9)), minutes(5)); }

JournalBatch JournalKey::gather(size_t runs_max) const {
  runs_max = std::max<size_t>(1, runs_max >> too_large);
  JournalBatch batch;
  batch.closed = std::min(closed.size(), runs_max);
  for (size_t i = 0; i < batch.closed; ++i) batch.add(name, closed[i]);
  const bool all = batch.closed == closed.size();
  if (all && open && open->length > open_logged) {
    batch.open = open;
    batch.add(name, *open);
  }
  if (batch.records.empty()) return batch;
  const TranslationRun last = std::get<RunRecord>(batch.records.back()).run;
  size_t reached = 0;
  for (size_t i = 0; i < anchors.size(); ++i) {
    const RelayAnchor& anchor = anchors[i];
    if (anchor.source_epoch == last.source_epoch && anchor.source < last.source_end() &&
        anchor.target_from < last.target_end())
      reached = i;
  }
  for (size_t i = 0; i < std::min({reached, kAnchorsPerBatchMax, runs_max}); ++i) batch.erase(name, anchors[i]);
  return batch;
}

void JournalKey::acknowledged(const JournalBatch& batch) {
  closed.erase(closed.begin(), closed.begin() + static_cast<std::ptrdiff_t>(batch.closed));
  if (batch.open) {
    if (open && same_start(*open, *batch.open)) {
      open_logged = batch.open->length;
    } else if (!closed.empty() && same_start(closed.front(), *batch.open) &&
               closed.front().length == batch.open->length) {
      closed.pop_front();  // it closed while it was written, and did not grow
    }
  }
  if (batch.anchor) {  // under one name: the later one replaces the earlier one, in the log too
    std::erase_if(anchors, [&](const RelayAnchor& anchor) {
      return anchor.producer == batch.anchor->producer && anchor.sequence == batch.anchor->sequence;
    });
    anchors.push_back(*batch.anchor);
  }
  std::erase_if(anchors, [&](const RelayAnchor& anchor) {
    return std::find(batch.erased_anchors.begin(), batch.erased_anchors.end(), anchor) != batch.erased_anchors.end();
  });
}

void JournalKey::continue_at(const offsets::Claims& claims) {
  closed.clear();
  open = claims.last_run;
  open_logged = claims.last_run ? claims.last_run->length : 0;
  logged_end = claims.last_run ? claims.last_run->target_end() : TargetOffset(0);
  behind_since.reset();
}

JournalTurn::JournalTurn(Reactor& reactor, Notifier& idle, std::shared_ptr<JournalKey> key)
    : reactor_(&reactor), idle_(&idle), key_(std::move(key)) {
  ensure(!key_->busy, "one turn of a key at a time");
  key_->busy = true;
}

JournalTurn::~JournalTurn() {
  if (!key_) return;
  key_->busy = false;
  if (!reactor_->dead()) idle_->notify();
}

}  // namespace farshore::linker
