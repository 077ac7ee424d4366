#include "base/rocksdb/kv.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <filesystem>

#include "base/real/disk.h"
#include "base/real/env.h"
#include "base/real/pool.h"

namespace farshore {
namespace {

using Items = std::vector<std::pair<std::string, std::string>>;
constexpr uintmax_t kOpenBytesMin = 64 << 10;  // new manifest, options, log; 32 KiB were seen to be too few

Error to_error(const rocksdb::Status& status, const std::string& where) {
  ErrorCode code = ErrorCode::kInternal;
  if (status.IsNoSpace())
    code = ErrorCode::kNoSpace;
  else if (status.IsCorruption())
    code = ErrorCode::kCorrupt;
  else if (status.IsIOError())
    code = ErrorCode::kIo;
  else if (status.IsInvalidArgument())
    code = ErrorCode::kInvalidArgument;
  else if (status.IsNotSupported())
    code = ErrorCode::kUnsupported;
  else if (status.IsShutdownInProgress())
    code = ErrorCode::kClosed;
  else if (status.IsBusy() || status.IsTryAgain())
    code = ErrorCode::kUnavailable;
  return Error(code, where + ": " + status.ToString());
}

rocksdb::Options make_options() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  // A kill or a power loss leaves at most an incomplete record at the end, of a write that nobody was told of.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.write_buffer_size = 4 << 20;
  options.max_write_buffer_number = 2;
  options.max_total_wal_size = 16 << 20;
  options.target_file_size_base = 4 << 20;
  options.max_background_jobs = 2;
  options.max_open_files = 64;
  options.compression = rocksdb::kNoCompression;
  options.max_log_file_size = 1 << 20;
  options.keep_log_file_num = 2;
  options.info_log_level = rocksdb::WARN_LEVEL;
  // Files are not allocated ahead: that takes 4 MiB for each, which a nearly full disk does not have (see has_room).
  options.allow_fallocate = false;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(4 << 20, 0);
  table.cache_index_and_filter_blocks = true;
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

using Database = std::shared_ptr<rocksdb::DB>;  // shared with the jobs under way

// RocksDB writes at each opening: small files, and what its write-ahead log holds as a table, before it deletes the
// log. Debian's build has assertions, and one of them ends the process when a write or sync there finds no room; so
// that is found out before. The check and the opening are not one step: a disk that fills up in between ends us all the
// same.
Status has_room(const std::string& directory) {
  std::error_code failure;
  uintmax_t needed = kOpenBytesMin;
  for (std::filesystem::directory_iterator at(directory, failure), end; !failure && at != end; at.increment(failure)) {
    std::error_code gone;
    const uintmax_t size = at->path().extension() == ".log" ? at->file_size(gone) : 0;
    if (!gone) needed += size + size / 8;  // a table has an index, too
  }
  const auto room = std::filesystem::space(directory, failure);
  if (failure || room.available >= needed) return ok();  // what else is wrong with the place, the opening finds out
  return Error(ErrorCode::kNoSpace, "opening the store " + directory + ": " + std::to_string(needed) +
                                        " bytes are needed for that, " + std::to_string(room.available) +
                                        " are free; nothing of it was touched");
}

Result<Database> open_blocking(const std::string& directory) {
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  if (failure) return file_error(failure.value(), "making directory " + directory);
  FARSHORE_CHECK(has_room(directory));
  rocksdb::DB* opened = nullptr;
  auto status = rocksdb::DB::Open(make_options(), directory, &opened);
  if (!status.ok()) {
    const bool locked = status.IsIOError() && !status.IsNoSpace();
    if (locked && status.ToString().find("/LOCK") != std::string::npos)
      return Error(ErrorCode::kAlreadyExists, "the store " + directory + " is open already: " + status.ToString());
    return to_error(status, "opening the store " + directory);
  }
  return Database(opened);
}

Result<Items> scan_blocking(rocksdb::DB& db, const std::string& directory, const std::string& begin,
                            const std::string& end, size_t items_max, bool reverse) {
  Items items;
  if (items_max == 0 || (!end.empty() && begin >= end)) return items;
  rocksdb::Slice low(begin), high(end);
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &low;
  if (!end.empty()) options.iterate_upper_bound = &high;
  std::unique_ptr<rocksdb::Iterator> at(db.NewIterator(options));
  if (reverse)
    at->SeekToLast();
  else
    at->SeekToFirst();
  while (at->Valid() && items.size() < items_max) {
    items.emplace_back(at->key().ToString(), at->value().ToString());
    if (reverse)
      at->Prev();
    else
      at->Next();
  }
  if (!at->status().ok()) return to_error(at->status(), "scanning the store " + directory);
  return items;
}

class RocksKv final : public KvStore {
 public:
  RocksKv(BlockingPool& pool, Database db, std::string directory)
      : pool_(pool), db_(std::move(db)), directory_(std::move(directory)) {}

  Task<Result<std::optional<std::string>>> get(std::string key) override {
    auto job = [db = db_, directory = directory_, key]() -> Result<std::optional<std::string>> {
      std::string value;
      auto status = db->Get(rocksdb::ReadOptions(), key, &value);
      if (status.IsNotFound()) return std::optional<std::string>();
      if (!status.ok()) return to_error(status, "reading the store " + directory);
      return std::optional<std::string>(std::move(value));
    };
    co_return co_await pool_.run(std::move(job));
  }

  Task<Result<Items>> scan(std::string begin, std::string end, size_t items_max) override {
    auto job = [db = db_, directory = directory_, begin, end, items_max] {
      return scan_blocking(*db, directory, begin, end, items_max, false);
    };
    co_return co_await pool_.run(std::move(job));
  }

  Task<Result<Items>> scan_reverse(std::string begin, std::string end, size_t items_max) override {
    auto job = [db = db_, directory = directory_, begin, end, items_max] {
      return scan_blocking(*db, directory, begin, end, items_max, true);
    };
    co_return co_await pool_.run(std::move(job));
  }

  Task<Status> write(KvBatch batch, Sync sync) override {
    auto job = [db = db_, directory = directory_, batch = std::move(batch), sync]() -> Status {
      rocksdb::WriteBatch writes;
      for (const auto& op : batch.ops()) {
        rocksdb::Status added;
        if (const auto* put = std::get_if<KvPut>(&op)) {
          added = writes.Put(put->key, put->value);
        } else if (const auto* erase = std::get_if<KvDelete>(&op)) {
          added = writes.Delete(erase->key);
        } else if (const auto& range = std::get<KvDeleteRange>(op); range.begin < range.end) {
          added = writes.DeleteRange(range.begin, range.end);
        }
        if (!added.ok()) return to_error(added, "writing the store " + directory);
      }
      rocksdb::WriteOptions options;
      options.sync = sync == Sync::kYes;
      auto status = db->Write(options, &writes);
      // After a full disk RocksDB refuses all writes until it is told to go on.
      if (status.IsNoSpace() && db->Resume().ok()) status = db->Write(options, &writes);
      if (!status.ok()) return to_error(status, "writing the store " + directory);
      return ok();
    };
    co_return co_await pool_.run(std::move(job));
  }

 private:
  BlockingPool& pool_;
  Database db_;
  std::string directory_;
};

}  // namespace

Task<Result<std::unique_ptr<KvStore>>> RocksKvOpener::open(std::string directory) {
  BlockingPool& pool = env_.pool();
  auto job = [directory] { return open_blocking(directory); };
  CO_TRY(Database db, co_await pool.run(std::move(job)));
  std::unique_ptr<KvStore> store = std::make_unique<RocksKv>(pool, std::move(db), std::move(directory));
  co_return store;
}

}  // namespace farshore
