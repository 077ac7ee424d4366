// For tests: MemoryJournal, a RelayJournal that keeps in memory what was written down, and fences as the real one does.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/env.h"
#include "proto/kafka/fake/fake_kafka.h"
#include "replicator/relay/journal.h"

namespace farshore::replicator {

using kafka::FakeKafka;
using kafka::FakePartition;

inline constexpr char kRelayTopic[] = "orders", kRelayLog[] = "__farshore_offsets";

// The records of a topic's log of record, shared by all gateways.
struct WrittenDown {
  std::map<LinkPartition, RelayClaims> claims;
  std::map<LinkPartition, std::vector<TranslationRun>> told;  // every run that was ever told, written down or not
  int anchors = 0;
};

// Writes are fenced as the real one's are: by the producer epoch in the log's partition of the target.
class MemoryJournal final : public RelayJournal {
 public:
  MemoryJournal(Env& env, FakeKafka& kafka, WrittenDown& down, double claim_chance)
      : env_(env), kafka_(kafka), down_(down), claim_chance_(claim_chance) {}

  Task<Result<TopicPartition>> log_of(LinkPartition, Deadline) override {
    co_await env_.sleep(milliseconds(env_.random().between(0, 3)));
    co_return TopicPartition{kRelayLog, 0};
  }
  Task<Result<RelayClaims>> take_over(LinkPartition key, RelayLogWriter writer, MonoTime owned_until,
                                      Deadline deadline) override {
    const kafka::ProducerIdentity owner = writer.producer;
    const kafka::ProducerIdentity last = writer.former.value_or(owner);
    while (wait_for_marker && (epoch_of(owner.id) < owner.epoch || epoch_of(last.id) < last.epoch)) {
      if (deadline.passed(env_.now())) co_return Error(ErrorCode::kTimedOut);
      co_await env_.sleep(milliseconds(2));  // reads up to the markers
    }
    if (fenced(owner)) co_return Error(ErrorCode::kFenced);
    if (writer_in_doubt.erase(owner) > 0) co_return Error(ErrorCode::kAmbiguous);
    owners_[key] = owner;
    owned_until_[key] = owned_until;
    open_.erase(key);
    co_return down_.claims[key];
  }
  void owned_until(const LinkPartition& key, MonoTime until) override { owned_until_[key] = until; }
  void lost(const LinkPartition&, const Error&) override { ++times_lost; }
  std::optional<Error> wants_takeover(const LinkPartition&) override { return std::exchange(ask_for_takeover, {}); }
  Task<Status> write_anchor(LinkPartition key, RelayAnchor anchor, Deadline) override {
    const kafka::ProducerIdentity owner = owners_[key];
    co_await env_.sleep(milliseconds(env_.random().between(0, 20)));
    if (!owned(key)) co_return Error(ErrorCode::kUnavailable, "the ownership is not confirmed");
    if (fenced(owner)) co_return Error(ErrorCode::kFenced, "the log of record");
    if (open_[key]) claim(key, *open_[key]);
    std::erase_if(down_.claims[key].anchors, [&](const RelayAnchor& each) {
      return each.producer == anchor.producer && each.sequence == anchor.sequence;
    });
    down_.claims[key].anchors.push_back(anchor);
    ++down_.anchors;
    co_await env_.sleep(milliseconds(env_.random().between(0, 5)));
    if (fail_anchors > 0) {
      --fail_anchors;
      co_return Error(ErrorCode::kUnavailable, "the acknowledgement was lost");
    }
    co_return ok();
  }
  void relayed(const LinkPartition& key, const TranslationRun& run) override {
    down_.told[key].push_back(run);
    auto& open = open_[key];
    if (open && open->source_end() == run.source && open->target_end() == run.target &&
        open->source_epoch == run.source_epoch && open->target_epoch == run.target_epoch) {
      open->length += run.length;
    } else {
      if (open) claim(key, *open);
      open = run;
    }
    if (env_.random().below(1000) < claim_chance_ * 1000) claim(key, *open);
  }
  Task<Result<RelayClaims>> lower_claim(LinkPartition key, TargetOffset target, Deadline) override {
    RelayClaims& claims = down_.claims[key];
    std::erase_if(claims.anchors, [&](const RelayAnchor& anchor) { return anchor.target_from > target; });
    if (claims.last_run && claims.last_run->target_end() > target) {
      // One run is enough here: what it loses at its end was one piece.
      claims.last_run->length = target - claims.last_run->target;
      if (claims.last_run->length <= 0) claims.last_run.reset();
    }
    open_.erase(key);
    ++lowered;
    co_return claims;
  }

  Task<Status> forget(LinkPartition key, Deadline) override {
    down_.claims.erase(key);
    open_.erase(key);
    co_return ok();
  }

  bool wait_for_marker = true;
  std::set<kafka::ProducerIdentity> writer_in_doubt;  // of the log; once each
  int fail_anchors = 0, lowered = 0, times_lost = 0;
  std::optional<Error> ask_for_takeover;
  bool skip_ownership = false;

 private:
  FakePartition& log() { return kafka_.partition(kRelayLog, 0); }
  int16_t epoch_of(int64_t id) {
    auto it = log().producers.find(id);
    return it == log().producers.end() ? int16_t{-1} : it->second.epoch;
  }
  bool fenced(kafka::ProducerIdentity owner) { return wait_for_marker && epoch_of(owner.id) > owner.epoch; }
  void claim(const LinkPartition& key, const TranslationRun& run) {
    if (!fenced(owners_[key]) && owned(key)) down_.claims[key].last_run = run;
  }
  bool owned(const LinkPartition& key) { return env_.now() < owned_until_[key] || skip_ownership; }

  Env& env_;
  FakeKafka& kafka_;
  WrittenDown& down_;
  const double claim_chance_;
  std::map<LinkPartition, kafka::ProducerIdentity> owners_;
  std::map<LinkPartition, MonoTime> owned_until_;
  std::map<LinkPartition, std::optional<TranslationRun>> open_;
};

}  // namespace farshore::replicator
