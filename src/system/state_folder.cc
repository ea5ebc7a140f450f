#include "system/state_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace trellis::system {
namespace {

Result<> make_folders(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) {
      return fail_with_errno("cannot make the folder " + parent, errno);
    }
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_with_errno("cannot make the folder " + path, errno);
  }
  return {};
}

}  // namespace

Result<> check_private_folder(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return fail_with_errno("cannot look at " + path, errno);
  if (!S_ISDIR(info.st_mode)) return fail_with(path + " is not a folder");
  if (info.st_uid != ::geteuid()) {
    return fail_with(
        fmt::format("the folder {} belongs to another user (uid {}): run this as that "
                    "user, or `chown {} {}`",
                    path, info.st_uid, ::geteuid(), path));
  }
  if ((info.st_mode & 077) != 0) {
    return fail_with(fmt::format(
        "others may enter the folder {} (mode {:04o}), where keys are kept: run `chmod 700 {}`",
        path, info.st_mode & 07777, path));
  }
  return {};
}

Result<> make_private_folder(const std::string& path) {
  TRY(make_folders(path));
  return check_private_folder(path);
}

namespace {

std::string holder_of(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t n = ::pread(descriptor, text.data(), text.size() - 1, 0);
  std::string pid(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  pid.erase(pid.find_last_not_of("\n ") + 1);
  return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

Result<StateFolder> StateFolder::open(const std::string& path) {
  TRY(make_private_folder(path));
  const std::string lock_path = path + "/lock";
  Descriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.valid()) return fail_with_errno("cannot open " + lock_path, errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_with_errno("cannot lock " + lock_path, errno);
    return fail_with(fmt::format("{} is in use by {}: stop that first, or name another folder",
                                 path, holder_of(lock.get())));
  }
  // For people who meet the lock. Without it (a full disk) the lock holds all the same.
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock.get(), 0) == 0) {
    static_cast<void>(::pwrite(lock.get(), pid.data(), pid.size(), 0) > 0);
  }
  return StateFolder(path, std::move(lock));
}

}  // namespace trellis::system
