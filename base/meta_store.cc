#include "base/meta_store.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "base/bytes.h"

namespace farshore {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

constexpr std::string_view kEntries = "m/";
constexpr std::string_view kEntriesEnd = "m0";  // '0' follows '/'
constexpr std::string_view kRevision = "r";
constexpr size_t kScanItems = 4096;    // per KvStore call
constexpr size_t kChangesKept = 4096;  // written keys and ranges that changed_since() remembers

// A stored entry: create revision, mod revision (both 8 bytes, big-endian), value.
constexpr size_t kEntryHeaderBytes = 16;

std::string stored_key(std::string_view key) { return std::string(kEntries).append(key); }

// etcd's convention: an end of one zero byte means "to the last key".
std::string stored_end(std::string_view end) { return end == "\0"sv ? std::string(kEntriesEnd) : stored_key(end); }

void append_revision(std::string& to, Revision revision) {
  std::byte raw[8];
  store_be<int64_t>(raw, revision);
  to.append(as_text(raw));
}

Revision load_revision(std::string_view from) { return load_be<int64_t>(as_bytes(from).data()); }

Result<MetaEntry> decode(std::string key, std::string_view stored) {
  if (stored.size() < kEntryHeaderBytes)
    return Error(ErrorCode::kCorrupt, "metadata entry " + key + " is shorter than its header");
  MetaEntry entry;
  entry.key = std::move(key);
  entry.create_revision = load_revision(stored);
  entry.mod_revision = load_revision(stored.substr(8));
  entry.value = stored.substr(kEntryHeaderBytes);
  return entry;
}

class KvMetaStore final : public MetaStore {
 public:
  KvMetaStore(Reactor& reactor, std::unique_ptr<KvStore> kv, Revision revision)
      : kv_(std::move(kv)),
        revision_(revision),
        remembers_after_(revision),
        changes_(reactor),
        turns_(std::make_shared<Turns>(reactor)) {}

  Task<Result<MetaTxnReply>> commit(MetaTxn txn, Deadline deadline) override {
    CO_CHECK(check_limits(txn));
    auto turn = co_await take_turn(deadline);
    if (!turn) co_return std::move(turn).error();
    Turn mine(turns_);
    CO_TRY(bool holds, co_await check(txn.conditions));
    MetaTxnReply reply;
    reply.revision = revision_;
    if (!holds) co_return reply;
    reply.succeeded = true;
    if (txn.then.empty()) co_return reply;
    CO_TRY(KvBatch batch, co_await build(txn, revision_ + 1));
    auto written = co_await kv_->write(std::move(batch), Sync::kYes);
    if (!written) {
      if (written.error() == ErrorCode::kNoSpace) co_return std::move(written).error();
      // The disk may hold it or not, and will not be asked again: whoever restarts on it reads what is there.
      broken_ = std::move(written).error();
      co_return Error(ErrorCode::kAmbiguous, broken_.to_string()).in("metadata write");
    }
    reply.revision = ++revision_;
    remember(txn);
    changes_.notify();
    co_return reply;
  }

  Task<Result<MetaSnapshot>> range(std::string begin, std::string end, Deadline deadline, size_t entries_max) override {
    // In turn with the commits, so that entries and revision belong together.
    auto turn = co_await take_turn(deadline);
    if (!turn) co_return std::move(turn).error();
    Turn mine(turns_);
    MetaSnapshot snapshot;
    snapshot.revision = revision_;
    if (end.empty()) {
      CO_TRY(auto entry, co_await read(begin));
      if (entry) snapshot.entries.push_back(std::move(*entry));
      co_return snapshot;
    }
    std::string from = stored_key(begin), to = stored_end(end);
    for (bool more = from < to; more && snapshot.entries.size() < entries_max;) {
      const size_t items = std::min(kScanItems, entries_max - snapshot.entries.size());
      CO_TRY(auto found, co_await kv_->scan(from, to, items));
      more = found.size() == items;
      if (more) from = found.back().first + '\0';
      for (auto& [key, stored] : found) {
        CO_TRY(auto entry, decode(key.substr(kEntries.size()), stored));
        snapshot.entries.push_back(std::move(entry));
      }
    }
    co_return snapshot;
  }

  Task<Result<MetaChanges>> changed_since(Revision since, Deadline deadline) override {
    auto turn = co_await take_turn(deadline);
    if (!turn) co_return std::move(turn).error();
    if (since < remembers_after_ || since > revision_)
      co_return Error(ErrorCode::kNotFound, "what was written after revision " + std::to_string(since) +
                                                " is not remembered; the store is at " + std::to_string(revision_));
    MetaChanges changes;
    changes.revision = revision_;
    for (const auto& [revision, keys] : written_)
      if (revision > since) changes.keys.push_back(keys);
    co_return changes;
  }

  Notifier& changes() override { return changes_; }

 private:
  struct Turns {
    explicit Turns(Reactor& reactor) : free(reactor) {}
    Notifier free;
    bool taken = false;
  };
  struct Turn {  // shares the turns: frames of a process that dies may go after the store
    explicit Turn(std::shared_ptr<Turns> t) : turns(std::move(t)) { turns->taken = true; }
    Turn(const Turn&) = delete;
    ~Turn() {
      turns->taken = false;
      turns->free.notify();
    }
    std::shared_ptr<Turns> turns;
  };

  // One transaction or range at a time. The deadline bounds the wait for the turn; nothing is applied before it.
  Task<Status> take_turn(Deadline deadline) {
    while (turns_->taken) {
      auto waited = co_await turns_->free.wait(deadline);
      if (!waited) co_return Error(ErrorCode::kUnavailable, "the metadata store is busy; nothing was applied");
    }
    if (broken_.code != ErrorCode::kNone) co_return broken_.in("metadata store failed before");
    co_return ok();
  }

  Task<Result<std::optional<MetaEntry>>> read(std::string key) {
    CO_TRY(auto stored, co_await kv_->get(stored_key(key)));
    std::optional<MetaEntry> entry;
    if (stored) {
      CO_TRY(entry, decode(std::move(key), *stored));
    }
    co_return entry;
  }

  Task<Result<bool>> check(const std::vector<Compare>& conditions) {
    for (const auto& condition : conditions) {
      if (condition.mod_revision.has_value() == condition.value.has_value())
        co_return Error(ErrorCode::kInvalidArgument, "a condition compares either the revision or the value");
      CO_TRY(auto entry, co_await read(condition.key));
      if (condition.mod_revision && *condition.mod_revision != (entry ? entry->mod_revision : 0)) co_return false;
      if (condition.value && (!entry || entry->value != *condition.value)) co_return false;
    }
    co_return true;
  }

  // The operations as KvStore sees them; a put keeps the create revision of the key as it is at that point.
  Task<Result<KvBatch>> build(const MetaTxn& txn, Revision revision) {
    KvBatch batch;
    std::map<std::string, Revision> created;  // keys that this transaction has touched; 0: absent now
    std::vector<KvDeleteRange> erased;
    for (const auto& op : txn.then) {
      if (const auto* put = std::get_if<KvPut>(&op)) {
        auto known = created.find(put->key);
        if (known == created.end()) {
          Revision before = 0;
          bool gone = std::any_of(erased.begin(), erased.end(), [put](const KvDeleteRange& range) {
            return range.begin <= put->key && (range.end == "\0"sv || put->key < range.end);
          });
          if (!gone) {
            CO_TRY(auto entry, co_await read(put->key));
            if (entry) before = entry->create_revision;
          }
          known = created.emplace(put->key, before).first;
        }
        if (known->second == 0) known->second = revision;
        std::string stored;
        stored.reserve(kEntryHeaderBytes + put->value.size());
        append_revision(stored, known->second);
        append_revision(stored, revision);
        stored.append(put->value);
        batch.put(stored_key(put->key), std::move(stored));
      } else if (const auto* erase = std::get_if<KvDelete>(&op)) {
        created[erase->key] = 0;
        batch.erase(stored_key(erase->key));
      } else {
        const auto& range = std::get<KvDeleteRange>(op);
        std::string begin = stored_key(range.begin), end = stored_end(range.end);
        if (range.end.empty() || begin >= end) continue;  // an empty range
        auto last = range.end == "\0"sv ? created.end() : created.lower_bound(range.end);
        for (auto it = created.lower_bound(range.begin); it != last; ++it) it->second = 0;
        erased.push_back(range);
        batch.erase_range(std::move(begin), std::move(end));
      }
    }
    std::string stored;
    append_revision(stored, revision);
    batch.put(std::string(kRevision), std::move(stored));
    co_return batch;
  }

  void remember(const MetaTxn& txn) {
    for (const auto& op : txn.then) {
      MetaKeys keys;
      if (const auto* put = std::get_if<KvPut>(&op)) keys.begin = put->key;
      if (const auto* erase = std::get_if<KvDelete>(&op)) keys.begin = erase->key;
      if (const auto* range = std::get_if<KvDeleteRange>(&op)) keys = {range->begin, range->end};
      written_.emplace_back(revision_, std::move(keys));
    }
    while (written_.size() > kChangesKept) {
      remembers_after_ = written_.front().first;  // a part of a transaction is of no use
      while (!written_.empty() && written_.front().first == remembers_after_) written_.pop_front();
    }
  }

  std::unique_ptr<KvStore> kv_;
  Revision revision_;
  Revision remembers_after_;                           // everything that was written after it is in the next
  std::deque<std::pair<Revision, MetaKeys>> written_;  // oldest first
  Notifier changes_;
  std::shared_ptr<Turns> turns_;
  Error broken_;
};

}  // namespace

Status check_limits(const MetaTxn& txn) {
  auto beyond = [](const char* what, size_t count, size_t most) {
    return Error(ErrorCode::kInvalidArgument, "a metadata transaction has " + std::to_string(count) + what +
                                                  ", at most " + std::to_string(most) + " are allowed");
  };
  size_t bytes = 0;
  for (const auto& condition : txn.conditions)
    bytes += condition.key.size() + (condition.value ? condition.value->size() : 0);
  for (const auto& op : txn.then) {
    if (const auto* put = std::get_if<KvPut>(&op)) bytes += put->key.size() + put->value.size();
    if (const auto* erase = std::get_if<KvDelete>(&op)) bytes += erase->key.size();
    if (const auto* range = std::get_if<KvDeleteRange>(&op)) bytes += range->begin.size() + range->end.size();
  }
  if (txn.conditions.size() > kMetaTxnOpsMax) return beyond(" conditions", txn.conditions.size(), kMetaTxnOpsMax);
  if (txn.then.size() > kMetaTxnOpsMax) return beyond(" operations", txn.then.size(), kMetaTxnOpsMax);
  if (bytes > kMetaTxnBytesMax) return beyond(" bytes", bytes, kMetaTxnBytesMax);
  return ok();
}

std::string prefix_end(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (prefix.empty()) return "\0"s;  // every key: "to the last one"
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

Task<Result<std::unique_ptr<MetaStore>>> open_kv_meta_store(Reactor& reactor, std::unique_ptr<KvStore> kv) {
  CO_TRY(auto stored, co_await kv->get(std::string(kRevision)));
  Revision revision = 0;
  if (stored) {
    if (stored->size() != 8) co_return Error(ErrorCode::kCorrupt, "the metadata store's revision is not 8 bytes");
    revision = load_revision(*stored);
  } else {
    CO_TRY(auto entries, co_await kv->scan(std::string(kEntries), std::string(kEntriesEnd), 1));
    if (!entries.empty()) co_return Error(ErrorCode::kCorrupt, "the metadata store has entries but no revision");
  }
  std::unique_ptr<MetaStore> store = std::make_unique<KvMetaStore>(reactor, std::move(kv), revision);
  co_return store;
}

}  // namespace farshore
