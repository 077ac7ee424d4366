#include "base/real/internal/sync_calls.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

namespace farshore {
namespace {

int fdatasync_one(int fd) {
  while (::fdatasync(fd) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

int syncfs_all(int fd) {
  while (::syncfs(fd) != 0)
    if (errno != EINTR) return errno;
  // After a fault that made the file system read-only, syncfs() has nothing to do and says so: no error.
  struct statvfs status {};
  if (::fstatvfs(fd, &status) != 0) return errno;
  return (status.f_flag & ST_RDONLY) != 0 ? EROFS : 0;
}

// Until 5.8 syncfs() told no error of a page, until 5.17 none of a journal.
bool kernel_reports_errors() {
  utsname name{};
  int major = 0, minor = 0;
  if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  return major > 5 || (major == 5 && minor >= 17);
}

// The type of the mount of `fd`, as in /proc/self/mountinfo: "36 35 98:0 / /mnt rw shared:1 - ext4 /dev/sda1 rw". Empty
// if it is not known. (The magic number of statfs() is the same for ext2, which has no journal, and ext4.)
std::string file_system_type(int fd) {
  struct statx status {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) != 0 || (status.stx_mask & STATX_MNT_ID) == 0) return {};
  const std::string id = std::to_string(status.stx_mnt_id) + " ";
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    if (!line.starts_with(id)) continue;
    const size_t type = line.find(" - ");
    if (type == std::string::npos) return {};
    std::istringstream rest(line.substr(type + 3));
    std::string name;
    rest >> name;
    return name;
  }
  return {};
}

}  // namespace

SyncCalls system_sync_calls() { return {fdatasync_one, syncfs_all}; }

bool syncfs_is_proof(int fd) {
  if (!kernel_reports_errors()) return false;
  const std::string type = file_system_type(fd);
  return type == "ext4" || type == "ext3" || type == "xfs" || type == "btrfs";
}

}  // namespace farshore
