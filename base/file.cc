#include "base/file.h"

namespace farshore {
namespace {

Task<Status> write_new(FileSystem& files, std::string path, const std::string& content) {
  OpenMode mode;
  mode.create = mode.truncate = true;
  CO_TRY(auto file, co_await files.open(path, mode));
  ConstBytes piece = as_bytes(content);
  CO_CHECK(co_await file->write_at(0, ConstBytesList(&piece, 1)));
  co_return co_await file->sync();
}

}  // namespace

Task<Status> replace_file(FileSystem& files, std::string path, std::string content) {
  std::string temporary = path + ".tmp";
  auto written = co_await write_new(files, temporary, content);
  if (written) written = co_await files.rename(temporary, path);
  if (!written) {
    (void)co_await files.remove(temporary);  // gives a full disk its space back; the old file stands
    co_return std::move(written).error().in("replacing " + path);
  }
  auto synced = co_await files.sync_dir(parent_path(path));
  if (!synced) co_return std::move(synced).error().in("replacing " + path);
  co_return ok();
}

Task<Result<std::string>> read_file(FileSystem& files, std::string path, size_t bytes_max) {
  CO_TRY(auto file, co_await files.open(path, OpenMode()));
  if (file->size() > bytes_max) {
    co_return Error(ErrorCode::kResourceExhausted, path + " has " + std::to_string(file->size()) + " bytes; at most " +
                                                       std::to_string(bytes_max) + " are read");
  }
  std::string content(file->size(), '\0');
  CO_TRY(size_t n, co_await file->read_at(0, std::as_writable_bytes(std::span(content.data(), content.size()))));
  content.resize(n);
  co_return content;
}

std::string join_path(std::string_view directory, std::string_view name) {
  if (directory.empty()) return std::string(name);
  std::string path(directory);
  if (path.back() != '/') path.push_back('/');
  return path.append(name);
}

std::string parent_path(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  if (slash == 0) return "/";
  return std::string(path.substr(0, slash));
}

}  // namespace farshore
