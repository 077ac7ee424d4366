// FileSyncs: makes the files of one file system durable. A few files at a time are synced one by one (fdatasync). While
// more wait, they share one syncfs(): it costs about as much as one fdatasync, however many files it is for.
//
// What it proves is what fdatasync proves. An error of syncfs() may be any file's: then every file is synced on its own
// before it shares a syncfs() again, and its own fdatasync says whether it was this file's. So it is with a file's
// first sync: an error from before it was opened is told by fdatasync alone.
//
// syncfs() also writes what other programs have written to the file system. Where that takes longer than syncing the
// files one by one, files are synced one by one for a while (docs/decisions/0175).
// Executor: the Env's. Owners: the Files.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/real/internal/descriptor.h"
#include "base/real/internal/sync_calls.h"
#include "base/real/pool.h"

namespace farshore {

// One open file, as FileSyncs sees it.
struct SyncedFile {
  SyncedFile(std::shared_ptr<Descriptor> descriptor, std::string name)
      : fd(std::move(descriptor)), path(std::move(name)) {}
  std::shared_ptr<Descriptor> fd;
  std::string path;
  std::optional<uint64_t> proved;  // the errors of the file system that its own fdatasync has answered for
};

class FileSyncs : public std::enable_shared_from_this<FileSyncs> {
 public:
  static constexpr size_t kAloneMax = 4;  // fdatasyncs at a time, where more files share a syncfs()
  static constexpr size_t kGroupMin = 4;  // files that wait, from which on they share one
  static constexpr size_t kThreads = 32;  // fdatasyncs at a time otherwise: a journal commits them together
  static constexpr Duration kGroupShort = milliseconds(50);  // a syncfs() that is never too slow
  static constexpr Duration kGroupPause = seconds(10);       // without one, after one that was too slow

  // `file_system`: opened before any File that is synced here, so that it hears of every error; null: there is no
  // syncfs() here that proves anything. `pool`: with kThreads threads of its own.
  FileSyncs(Reactor& reactor, BlockingPool& pool, std::shared_ptr<Descriptor> file_system, SyncCalls calls)
      : reactor_(reactor), pool_(pool), file_system_(std::move(file_system)), calls_(std::move(calls)) {}

  // Completes when everything that was written to the file before the call is durable. Errors: of the file; kClosed:
  // the Env ends. It has no deadline, as a disk has none. Waiting files are limited by those that are open.
  Task<Status> sync(std::shared_ptr<SyncedFile> file);

 private:
  enum class Turn : uint8_t {
    kDurable,  // by the syncfs() of another one
    kAlone,    // sync it alone
    kLead,     // call syncfs() for all that wait
    kAgain     // the syncfs() failed
  };
  using Waiting = std::deque<Wait<Turn>>;

  void give_turns();
  Task<Status> alone(std::shared_ptr<SyncedFile> file, bool proved);
  Task<Status> lead();
  bool group_allowed() const { return file_system_ && reactor_.now() >= group_again_at_; }
  void judge_group(size_t files, Duration took);
  static void pass_turn(Waiting& waiting, Turn turn);

  Reactor& reactor_;
  BlockingPool& pool_;
  const std::shared_ptr<Descriptor> file_system_;
  const SyncCalls calls_;
  Waiting waiting_;                               // may share a syncfs()
  Waiting unproved_;                              // need an fdatasync of their own
  size_t alone_proved_ = 0, alone_unproved_ = 0;  // fdatasyncs under way
  bool group_ = false;                            // a syncfs() is under way
  uint64_t errors_ = 0;                           // that syncfs() has told
  Duration alone_time_{};                         // of one fdatasync: a moving mean
  MonoTime group_again_at_{};
};

}  // namespace farshore
