#include "base/real/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace farshore {
namespace {

Error failed(const std::string& path, int reason) {
  ErrorCode code = ErrorCode::kIo;
  if (reason == ENOENT || reason == ENOTDIR) code = ErrorCode::kNotFound;
  if (reason == EACCES || reason == EPERM) code = ErrorCode::kPermissionDenied;
  if (reason == EISDIR) code = ErrorCode::kInvalidArgument;
  return Error(code, path + ": " + std::strerror(reason));
}

}  // namespace

Result<std::string> read_text_file(const std::string& path, size_t bytes_max) {
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return failed(path, errno);
  std::string text;
  char part[16 << 10];
  for (;;) {
    ssize_t n = ::read(file, part, sizeof part);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      int reason = n < 0 ? errno : 0;
      ::close(file);
      if (reason != 0) return failed(path, reason);
      return text;
    }
    text.append(part, static_cast<size_t>(n));
    if (text.size() > bytes_max) {
      ::close(file);
      return Error(ErrorCode::kInvalidArgument, path + ": larger than " + std::to_string(bytes_max) + " bytes");
    }
  }
}

}  // namespace farshore
