#include "broker/metadata/store_guard.h"

#include "broker/metadata/internal/codec.h"
#include "broker/metadata/internal/revision_note.h"

namespace farshore::broker {
namespace {

constexpr std::string_view kNote = "meta.revision";
constexpr std::string_view kLogMark = "partition.metadata";  // in each directory of a log
constexpr std::string_view kSetAside[] = {"-stray", "-delete"};

class GuardedStore final : public MetaStore {
 public:
  GuardedStore(std::unique_ptr<MetaStore> store, RevisionNote note)
      : store_(std::move(store)), note_(std::make_shared<RevisionNote>(std::move(note))) {}

  Task<Result<MetaTxnReply>> commit(MetaTxn txn, Deadline deadline) override {
    auto note = note_;
    auto reply = co_await store_->commit(std::move(txn), deadline);
    if (reply && reply->succeeded) co_await note->save(reply->revision);
    co_return reply;
  }
  Task<Result<MetaSnapshot>> range(std::string begin, std::string end, Deadline deadline, size_t entries_max) override {
    return store_->range(std::move(begin), std::move(end), deadline, entries_max);
  }
  Task<Result<MetaChanges>> changed_since(Revision since, Deadline deadline) override {
    return store_->changed_since(since, deadline);
  }
  Notifier& changes() override { return store_->changes(); }

 private:
  std::unique_ptr<MetaStore> store_;
  std::shared_ptr<RevisionNote> note_;
};

// Whether a log's directory may have this name: <topic>-<partition>.
bool named_as_a_log(std::string_view name) {
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0 || dash + 1 == name.size()) return false;
  return name.find_first_not_of("0123456789", dash + 1) == std::string_view::npos;
}

// The name of a log's directory in the data directory; empty: there is none.
Task<Result<std::string>> find_log(FileSystem& files, std::string data_directory) {
  CO_TRY(auto names, co_await files.list(data_directory));
  for (const auto& name : names) {
    bool aside = false;
    for (auto suffix : kSetAside) aside |= name.ends_with(suffix);
    if (aside) continue;
    auto log = co_await files.exists(join_path(join_path(data_directory, name), kLogMark));
    if (log && *log) co_return name;
    // Others' entries (lost+found) may be closed to us. But a log on a sick disk is not "no log".
    if (!log && named_as_a_log(name))
      co_return std::move(log).error().in("the metadata is empty, and it is not known whether " +
                                          join_path(data_directory, name) + " is a log");
  }
  co_return std::string();
}

// Of a store without a cluster. All that a new cluster takes is named: who removes the note first has lost a witness.
Status check_empty(const std::string& data_directory, const std::string& log, std::optional<Revision> noted) {
  if (log.empty() && !noted) return ok();
  const std::string note = join_path(data_directory, kNote);
  std::string found, take_away;
  if (noted) {
    found = note + " says that revision " + std::to_string(*noted) + " was written";
    take_away = "remove " + note;
  }
  if (!log.empty()) {
    found += (noted ? ", and " : "") + std::string("the directory holds the log ") + log;
    take_away = "move the logs away" + (noted ? " and " + take_away : "");
  }
  return Error(ErrorCode::kCorrupt, "the metadata in " + data_directory + " is empty, and " + found +
                                        ": the metadata was lost. Restore the whole directory from a copy. To begin as "
                                        "a new cluster, use another directory, or " +
                                        take_away);
}

}  // namespace

Task<Result<std::unique_ptr<MetaStore>>> guard_meta_store(Env& env, std::unique_ptr<MetaStore> store,
                                                          std::string data_directory, Deadline deadline) {
  RevisionNote note(env, join_path(data_directory, kNote));
  CO_TRY(auto found, co_await store->range(std::string(kClusterKey), {}, deadline));
  CO_TRY(auto noted, co_await note.load());
  if (found.entries.empty()) {
    CO_TRY(std::string log, co_await find_log(env.files(), data_directory));
    CO_CHECK(check_empty(data_directory, log, noted && *noted > found.revision ? noted : std::nullopt));
  } else if (noted && *noted > found.revision) {
    co_return Error(
        ErrorCode::kCorrupt,
        "the metadata in " + data_directory + " lost transactions: it is at revision " +
            std::to_string(found.revision) + ", and revision " + std::to_string(*noted) +
            " was written. Restore the whole directory from a copy. To go on without what was lost, remove " +
            join_path(data_directory, kNote) +
            ": the logs of topics that the metadata does not know are then set aside");
  }
  if (found.revision > 0) co_await note.save(found.revision);
  std::unique_ptr<MetaStore> guarded = std::make_unique<GuardedStore>(std::move(store), std::move(note));
  co_return guarded;
}

}  // namespace farshore::broker
