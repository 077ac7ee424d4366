#include "broker/log/internal/log_directory.h"

#include <algorithm>

#include "broker/log/internal/log_format.h"

namespace farshore {

LogDirectory::LogDirectory(Env& env, FileSystem& files, std::string path)
    : env_(env),
      files_(files),
      path_(std::move(path)),
      segments_(env, files, path_),
      checkpoint_(env, files, join_path(path_, log_format::kCheckpoint)),
      gaps_(env, files, join_path(path_, log_format::kJumps)),
      intent_(files, path_) {}

void LogDirectory::close() {
  checkpoint_.close();
  gaps_.close();
}

Task<Status> LogDirectory::make() {
  CO_TRY(const bool there, co_await files().exists(path_));
  if (there) co_return ok();
  CO_CHECK(co_await files().make_dirs(path_));
  co_return co_await files().sync_dir(parent_path(path_));
}

Task<Status> LogDirectory::remove_unfinished(const std::vector<std::string>& names) {
  for (const auto& name : names) {
    if (!name.ends_with(log_format::kCleaned) && !name.ends_with(log_format::kTemporary)) continue;
    CO_CHECK(co_await files().remove(path_of(name)));
  }
  co_return ok();
}

Task<Status> LogDirectory::remove_if_there(std::string_view name) {
  auto removed = co_await files().remove(path_of(name));
  if (!removed && removed.error() != ErrorCode::kNotFound) co_return removed;
  co_return ok();
}

Task<Status> LogDirectory::check_not_quarantined(const std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), log_format::kQuarantine) == names.end()) co_return ok();
  auto why = co_await read_file(files(), path_of(log_format::kQuarantine));
  if (why) co_return Error(ErrorCode::kCorrupt, "the partition is quarantined: " + *why);
  if (why.error() != ErrorCode::kNotFound) co_return std::move(why).error();
  co_return ok();
}

Task<Error> LogDirectory::quarantine(std::string why) {
  env_.log().error("a partition is quarantined: damage below its recovery point", {{"directory", path_}, {"why", why}});
  // Without the mark, the next start could come to another conclusion and cut the log.
  auto marked = co_await replace_file(files(), path_of(log_format::kQuarantine), why + "\n");
  if (!marked)
    env_.log().error("the quarantine mark could not be written", {{"directory", path_}, {"error", marked.error()}});
  co_return Error(ErrorCode::kCorrupt, "quarantined: " + why);
}

}  // namespace farshore
