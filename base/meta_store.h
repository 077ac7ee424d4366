// MetaStore: cluster metadata with etcd's semantics from the first day: transactions that compare, revisions,
// ambiguous results, and watches that are only hints. One node: KvMetaStore on a KvStore. Several: etcd (later).
// Executor: the Env's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/event.h"
#include "base/kv.h"

namespace farshore {

using Revision = int64_t;  // grows by one with every applied transaction that writes; 0: never written

struct MetaEntry {
  std::string key, value;
  Revision create_revision = 0, mod_revision = 0;
};

struct Compare {
  std::string key;
  // Exactly one is set. mod_revision 0: the key does not exist.
  std::optional<Revision> mod_revision;
  std::optional<std::string> value;
  static Compare revision_is(std::string key, Revision r) { return {std::move(key), r, std::nullopt}; }
  static Compare value_is(std::string key, std::string v) { return {std::move(key), std::nullopt, std::move(v)}; }
  static Compare absent(std::string key) { return {std::move(key), 0, std::nullopt}; }
};

// etcd's limits of one transaction (--max-txn-ops, --max-request-bytes): so many conditions, so many operations, so
// many bytes in all. Every store refuses more. Who may need more writes in several transactions, the one that makes it
// visible last.
inline constexpr size_t kMetaTxnOpsMax = 128;
inline constexpr size_t kMetaTxnBytesMax = 1536 << 10;

struct MetaTxn {
  std::vector<Compare> conditions;  // all must hold
  std::vector<KvBatch::Op> then;    // applied whole
};

struct MetaTxnReply {
  bool succeeded = false;  // false: a condition did not hold, nothing was written
  Revision revision = 0;   // of the store after it
};

struct MetaSnapshot {
  std::vector<MetaEntry> entries;
  Revision revision = 0;
};

inline constexpr size_t kNoEntriesMax = SIZE_MAX;

// Keys that were written or deleted: those in [begin, end); end empty: just `begin`.
struct MetaKeys {
  std::string begin, end;
};

struct MetaChanges {
  std::vector<MetaKeys> keys;  // oldest first; the same key may come twice
  Revision revision = 0;       // of the store: what was written up to here is in `keys`
};

// kInvalidArgument: it is beyond a limit above; the detail says which.
Status check_limits(const MetaTxn& txn);

class MetaStore {
 public:
  virtual ~MetaStore() = default;
  // Durable when it resolves with succeeded. kAmbiguous: applied or not; re-reading decides. kUnavailable: not applied.
  // kInvalidArgument: see check_limits.
  virtual Task<Result<MetaTxnReply>> commit(MetaTxn txn, Deadline deadline) = 0;
  // The first `entries_max` keys in [begin, end); end empty: just `begin`. Linearizable.
  virtual Task<Result<MetaSnapshot>> range(std::string begin, std::string end, Deadline deadline,
                                           size_t entries_max = kNoEntriesMax) = 0;
  // What was written after `since`, by anybody. kNotFound: the store does not remember that far back (or is not there
  // yet): read everything.
  virtual Task<Result<MetaChanges>> changed_since(Revision since, Deadline deadline) = 0;
  // Notified (perhaps late, perhaps twice, perhaps for nothing) after writes: ask changed_since(), or range().
  virtual Notifier& changes() = 0;
};

// The end of the range of all keys that begin with `prefix`.
std::string prefix_end(std::string prefix);

// On a KvStore: entries under "m/", the revision under "r". All writes are synced.
Task<Result<std::unique_ptr<MetaStore>>> open_kv_meta_store(Reactor& reactor, std::unique_ptr<KvStore> kv);

}  // namespace farshore
