// Contract of FileSystem and File (base/file.h), as far as one running machine can show it: contents, names, error
// codes, locks. What survives a power loss only the simulator can show (base/sim).
#pragma once

#include <array>

#include "base/contract/harness.h"
#include "base/file.h"

namespace farshore::contract {
namespace file_cases {

inline OpenMode open_existing() { return {}; }
inline OpenMode open_or_create() {
  OpenMode mode;
  mode.create = true;
  return mode;
}

inline Task<Status> put(File& file, uint64_t position, std::string text) {
  const std::array<ConstBytes, 1> pieces{as_bytes(text)};
  co_return co_await file.write_at(position, pieces);
}

inline Task<Result<std::string>> get(File& file, uint64_t position, size_t size) {
  std::string text(size, 0);
  auto n = co_await file.read_at(position, writable(text));
  if (!n) co_return std::move(n).error();
  text.resize(*n);
  co_return text;
}

inline Task<void> writes_are_read_back(Env& env, std::string dir) {
  auto file = co_await env.files().open(join_path(dir, "a"), open_or_create());
  CO_ASSERT_OK(file);
  File& f = **file;
  EXPECT_EQ(f.size(), 0u);
  EXPECT_EQ(f.path(), join_path(dir, "a"));
  const std::array<ConstBytes, 3> pieces{as_bytes("hello "), ConstBytes(), as_bytes("world")};
  EXPECT_TRUE(co_await f.write_at(0, pieces));
  EXPECT_EQ(f.size(), 11u);
  EXPECT_TRUE(co_await put(f, 6, "there"));
  EXPECT_EQ((co_await get(f, 0, 100)).value(), "hello there");
  EXPECT_EQ((co_await get(f, 6, 3)).value(), "the");
  EXPECT_EQ((co_await get(f, 11, 3)).value(), "");   // at the end
  EXPECT_EQ((co_await get(f, 500, 3)).value(), "");  // and beyond
  EXPECT_TRUE(co_await f.sync());
  // A hole reads as zeros.
  EXPECT_TRUE(co_await put(f, 20, "x"));
  EXPECT_EQ(f.size(), 21u);
  EXPECT_EQ((co_await get(f, 0, 100)).value(), std::string("hello there") + std::string(9, '\0') + "x");
}

inline Task<void> many_pieces_in_one_write(Env& env, std::string dir) {
  auto file = co_await env.files().open(join_path(dir, "a"), open_or_create());
  CO_ASSERT_OK(file);
  const std::string content = pattern(200'000, 11);
  std::vector<ConstBytes> pieces;  // more than IOV_MAX
  for (size_t at = 0; at < content.size(); at += 100) {
    pieces.push_back(as_bytes(std::string_view(content).substr(at, 100)));
  }
  EXPECT_TRUE(co_await (*file)->write_at(10, pieces));
  auto back = co_await get(**file, 10, content.size());
  CO_ASSERT_OK(back);
  EXPECT_TRUE(*back == content);
}

inline Task<void> truncate_cuts_and_extends(Env& env, std::string dir) {
  auto file = co_await env.files().open(join_path(dir, "a"), open_or_create());
  CO_ASSERT_OK(file);
  EXPECT_TRUE(co_await put(**file, 0, "0123456789"));
  EXPECT_TRUE(co_await (*file)->truncate(4));
  EXPECT_EQ((*file)->size(), 4u);
  EXPECT_TRUE(co_await (*file)->truncate(6));
  EXPECT_EQ((co_await get(**file, 0, 100)).value(), std::string("0123\0\0", 6));
}

inline Task<void> contents_survive_reopening(Env& env, std::string dir) {
  const std::string path = join_path(dir, "a");
  {
    auto file = co_await env.files().open(path, open_or_create());
    CO_ASSERT_OK(file);
    EXPECT_TRUE(co_await put(**file, 0, "kept"));
  }
  auto file = co_await env.files().open(path, open_existing());
  CO_ASSERT_OK(file);
  EXPECT_EQ((*file)->size(), 4u);
  EXPECT_EQ((co_await get(**file, 0, 9)).value(), "kept");
  OpenMode wipe;
  wipe.truncate = true;
  auto wiped = co_await env.files().open(path, wipe);
  CO_ASSERT_OK(wiped);
  EXPECT_EQ((*wiped)->size(), 0u);
  EXPECT_EQ((co_await get(**file, 0, 9)).value(), "") << "both handles see the same file";
}

inline Task<void> open_modes_have_their_errors(Env& env, std::string dir) {
  auto missing = co_await env.files().open(join_path(dir, "a"), open_existing());
  EXPECT_ERROR(missing, ErrorCode::kNotFound);
  auto no_parent = co_await env.files().open(join_path(dir, "no/such/dir/a"), open_or_create());
  EXPECT_ERROR(no_parent, ErrorCode::kNotFound);
  OpenMode exclusive = open_or_create();
  exclusive.exclusive = true;
  auto first = co_await env.files().open(join_path(dir, "a"), exclusive);
  EXPECT_TRUE(first.has_value());
  auto second = co_await env.files().open(join_path(dir, "a"), exclusive);
  EXPECT_ERROR(second, ErrorCode::kAlreadyExists);
}

inline Task<void> rename_replaces(Env& env, std::string dir) {
  FileSystem& fs = env.files();
  EXPECT_TRUE(co_await replace_file(fs, join_path(dir, "a"), "new"));
  EXPECT_TRUE(co_await replace_file(fs, join_path(dir, "b"), "old"));
  auto renamed = co_await fs.rename(join_path(dir, "a"), join_path(dir, "b"));
  CO_ASSERT_OK(renamed);
  EXPECT_EQ((co_await read_file(fs, join_path(dir, "b"))).value(), "new");
  EXPECT_FALSE((co_await fs.exists(join_path(dir, "a"))).value());
  auto missing = co_await fs.rename(join_path(dir, "a"), join_path(dir, "c"));
  EXPECT_ERROR(missing, ErrorCode::kNotFound);
  // A directory is renamed with all that is in it.
  EXPECT_TRUE(co_await fs.make_dirs(join_path(dir, "d/e")));
  EXPECT_TRUE(co_await replace_file(fs, join_path(dir, "d/e/f"), "deep"));
  auto moved = co_await fs.rename(join_path(dir, "d"), join_path(dir, "g"));
  CO_ASSERT_OK(moved);
  EXPECT_EQ((co_await read_file(fs, join_path(dir, "g/e/f"))).value(), "deep");
}

inline Task<void> replace_file_is_whole(Env& env, std::string dir) {
  FileSystem& fs = env.files();
  const std::string path = join_path(dir, "checkpoint");
  auto missing = co_await read_file(fs, path);
  EXPECT_ERROR(missing, ErrorCode::kNotFound);
  EXPECT_TRUE(co_await replace_file(fs, path, "first and longer"));
  EXPECT_TRUE(co_await replace_file(fs, path, "second"));
  EXPECT_EQ((co_await read_file(fs, path)).value(), "second");
  auto names = co_await fs.list(dir);
  CO_ASSERT_OK(names);
  EXPECT_EQ(*names, std::vector<std::string>{"checkpoint"}) << "no temporary file is left";
  auto too_large = co_await read_file(fs, path, 3);
  EXPECT_ERROR(too_large, ErrorCode::kResourceExhausted);
}

inline Task<void> directories_list_sorted(Env& env, std::string dir) {
  FileSystem& fs = env.files();
  auto names = co_await fs.list(dir);
  CO_ASSERT_OK(names);
  EXPECT_TRUE(names->empty());
  EXPECT_TRUE(co_await fs.make_dirs(join_path(dir, "x/y/z")));
  EXPECT_TRUE(co_await fs.make_dirs(join_path(dir, "x/y/z")));  // fine if it exists
  for (const char* name : {"b", "a", "c.log", "10", "9"})
    EXPECT_TRUE(co_await replace_file(fs, join_path(dir, name), ""));
  names = co_await fs.list(dir);
  CO_ASSERT_OK(names);
  EXPECT_EQ(*names, (std::vector<std::string>{"10", "9", "a", "b", "c.log", "x"}));
  names = co_await fs.list(join_path(dir, "x"));
  CO_ASSERT_OK(names);
  EXPECT_EQ(*names, std::vector<std::string>{"y"});
  auto missing = co_await fs.list(join_path(dir, "nowhere"));
  EXPECT_ERROR(missing, ErrorCode::kNotFound);
  EXPECT_TRUE((co_await fs.exists(join_path(dir, "x/y"))).value());
  EXPECT_FALSE((co_await fs.exists(join_path(dir, "x/q"))).value());
  EXPECT_TRUE(co_await fs.sync_dir(dir));
  auto no_dir = co_await fs.sync_dir(join_path(dir, "nowhere"));
  EXPECT_FALSE(no_dir.has_value());
}

inline Task<void> remove_takes_one_remove_all_takes_all(Env& env, std::string dir) {
  FileSystem& fs = env.files();
  auto missing = co_await fs.remove(join_path(dir, "a"));
  EXPECT_ERROR(missing, ErrorCode::kNotFound);
  EXPECT_TRUE(co_await replace_file(fs, join_path(dir, "a"), "1"));
  EXPECT_TRUE(co_await fs.remove(join_path(dir, "a")));
  EXPECT_FALSE((co_await fs.exists(join_path(dir, "a"))).value());
  EXPECT_TRUE(co_await fs.make_dirs(join_path(dir, "d/e")));
  EXPECT_TRUE(co_await replace_file(fs, join_path(dir, "d/e/f"), "1"));
  auto not_empty = co_await fs.remove(join_path(dir, "d"));
  EXPECT_FALSE(not_empty.has_value());
  EXPECT_TRUE((co_await fs.exists(join_path(dir, "d/e/f"))).value());
  EXPECT_TRUE(co_await fs.remove_all(join_path(dir, "d")));
  EXPECT_FALSE((co_await fs.exists(join_path(dir, "d"))).value());
  EXPECT_TRUE(co_await fs.remove_all(join_path(dir, "d")));  // fine if missing
  EXPECT_TRUE(co_await fs.make_dirs(join_path(dir, "empty")));
  EXPECT_TRUE(co_await fs.remove(join_path(dir, "empty")));
}

inline Task<void> removed_file_stays_readable(Env& env, std::string dir) {
  FileSystem& fs = env.files();
  EXPECT_TRUE(co_await replace_file(fs, join_path(dir, "a"), "still here"));
  auto file = co_await fs.open(join_path(dir, "a"), open_existing());
  CO_ASSERT_OK(file);
  EXPECT_TRUE(co_await fs.remove(join_path(dir, "a")));
  EXPECT_EQ((co_await get(**file, 0, 100)).value(), "still here");
}

inline Task<void> lock_it(Env& env, std::string path, std::unique_ptr<FileLock>& lock, ErrorCode& code) {
  auto locked = co_await env.files().lock(std::move(path));
  code = locked ? ErrorCode::kNone : locked.error().code;
  if (locked) lock = std::move(*locked);
}

inline void lock_is_exclusive(EnvHarness& h) {
  const std::string path = join_path(h.scratch(), ".lock");
  std::unique_ptr<FileLock> mine, theirs;
  ErrorCode code = ErrorCode::kInternal;
  h.run(h.env(), lock_it(h.env(), path, mine, code), seconds(60));
  ASSERT_EQ(error_name(code), error_name(ErrorCode::kNone));
  h.run(h.second(), lock_it(h.second(), path, theirs, code), seconds(60));
  EXPECT_EQ(error_name(code), error_name(ErrorCode::kAlreadyExists));
  mine.reset();
  h.run(h.second(), lock_it(h.second(), path, theirs, code), seconds(60));
  EXPECT_EQ(error_name(code), error_name(ErrorCode::kNone));
  h.run(h.env(), lock_it(h.env(), path, mine, code), seconds(60));
  EXPECT_EQ(error_name(code), error_name(ErrorCode::kAlreadyExists));
  theirs.reset();
}

inline Task<void> free_space_is_known(Env& env, std::string dir) {
  auto free = co_await env.files().free_bytes(dir);
  CO_ASSERT_OK(free);
  EXPECT_GT(*free, 0u);
}

}  // namespace file_cases

inline Suite file_contract() {
  namespace c = file_cases;
  return {
      {"WrittenBytesAreReadBackAndHolesAreZero",
       [](EnvHarness& h) { h.run(c::writes_are_read_back(h.env(), h.scratch())); }},
      {"OneWriteTakesAnyNumberOfPieces",
       [](EnvHarness& h) { h.run(c::many_pieces_in_one_write(h.env(), h.scratch())); }},
      {"TruncateCutsAndExtends", [](EnvHarness& h) { h.run(c::truncate_cuts_and_extends(h.env(), h.scratch())); }},
      {"ContentsSurviveReopening", [](EnvHarness& h) { h.run(c::contents_survive_reopening(h.env(), h.scratch())); }},
      {"OpenReportsMissingAndExistingFiles",
       [](EnvHarness& h) { h.run(c::open_modes_have_their_errors(h.env(), h.scratch())); }},
      {"RenameReplacesTheTargetFile", [](EnvHarness& h) { h.run(c::rename_replaces(h.env(), h.scratch())); }},
      {"ReplaceFileLeavesOneWholeFile", [](EnvHarness& h) { h.run(c::replace_file_is_whole(h.env(), h.scratch())); }},
      {"DirectoryListingIsSorted", [](EnvHarness& h) { h.run(c::directories_list_sorted(h.env(), h.scratch())); }},
      {"RemoveErasesOneEntryAndRemoveAllErasesTheTree",
       [](EnvHarness& h) { h.run(c::remove_takes_one_remove_all_takes_all(h.env(), h.scratch())); }},
      {"RemovedFileStaysReadableWhileOpen",
       [](EnvHarness& h) { h.run(c::removed_file_stays_readable(h.env(), h.scratch())); }},
      {"FileLockIsExclusiveAndEndsWithItsHandle", [](EnvHarness& h) { c::lock_is_exclusive(h); }},
      {"FreeSpaceIsReported", [](EnvHarness& h) { h.run(c::free_space_is_known(h.env(), h.scratch())); }},
  };
}

}  // namespace farshore::contract
