#include "system/secure_file.h"

#include "system/descriptor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace trellis::system {
namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

tl::unexpected<Error> write_error(const std::string& path, int number) {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
      return fail_with(
          fmt::format("cannot write {}: the disk is full; make room. The file is as it was", path));
    case EROFS:
      return fail_with(fmt::format("cannot write {}: the file system is read-only", path));
    case ENOENT:
      return fail_with(
          fmt::format("cannot write {}: there is no folder {}", path, folder_of(path)));
    case EACCES:
    case EPERM:
      return fail_with(
          fmt::format("cannot write {}: permission denied; run this as root or as the owner of {}",
                      path, folder_of(path)));
    default:
      return fail_with_errno("cannot write " + path, number);
  }
}

tl::unexpected<Error> read_error(const std::string& path, int number) {
  switch (number) {
    case ENOENT:
      return fail_with(fmt::format("there is no file {}", path));
    case EACCES:
    case EPERM:
      return fail_with(
          fmt::format("cannot read {}: permission denied; run this as root or as its owner", path));
    case ELOOP:
      return fail_with(fmt::format("{} is a symbolic link; give the file itself", path));
    default:
      return fail_with_errno("cannot read " + path, number);
  }
}

int write_all(int descriptor, ByteView content) {
  while (!content.empty()) {
    const ssize_t n = ::write(descriptor, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    content = content.subspan(static_cast<std::size_t>(n));
  }
  return 0;
}

int sync_folder(const std::string& folder) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.valid()) return errno;
  // Some file systems cannot; they order names by themselves.
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL && errno != EROFS) return errno;
  return 0;
}

/// A file of a name that is not used yet, removed again unless it was put into its place.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path) : name_(path + ".XXXXXX") {
    // Mode 0600 whatever the umask is.
    descriptor_ = Descriptor(::mkostemp(name_.data(), O_CLOEXEC));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (descriptor_.valid()) ::unlink(name_.c_str());
  }

  bool valid() const { return descriptor_.valid(); }
  int write(ByteView content, mode_t mode) {
    if (const int error = write_all(descriptor_.get(), content); error != 0) return error;
    if (::fchmod(descriptor_.get(), mode) != 0) return errno;
    return ::fsync(descriptor_.get()) == 0 ? 0 : errno;
  }
  int replace(const std::string& path) {
    if (::rename(name_.c_str(), path.c_str()) != 0) return errno;
    descriptor_.reset();
    return 0;
  }
  int put_where_nothing_is(const std::string& path) {
    return ::link(name_.c_str(), path.c_str()) == 0 ? 0 : errno;
  }

 private:
  std::string name_;
  Descriptor descriptor_;
};

Result<Descriptor> open_regular(const std::string& path, struct stat& info) {
  // NONBLOCK: a pipe of that name must not hold us up before we see what it is.
  Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!descriptor.valid()) return read_error(path, errno);
  if (::fstat(descriptor.get(), &info) != 0) return read_error(path, errno);
  if (!S_ISREG(info.st_mode)) return fail_with(fmt::format("{} is not an ordinary file", path));
  return descriptor;
}

/// Fills `target` and makes sure that the file ends there.
Result<> read_exactly(int descriptor, const std::string& path, MutableByteView target) {
  while (!target.empty()) {
    const ssize_t n = ::read(descriptor, target.data(), target.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return read_error(path, errno);
    if (n == 0) return fail_with(fmt::format("{} became shorter while it was read", path));
    target = target.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::size_t> bounded_size(const struct stat& info, const std::string& path,
                                 std::size_t bytes_max) {
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > bytes_max) {
    return fail_with(
        fmt::format("{} has {} bytes, more than the {} that it can need: it is not "
                    "the file that it should be",
                    path, size, bytes_max));
  }
  return size;
}

}  // namespace

Result<> write_file_atomically(const std::string& path, ByteView content, mode_t mode) {
  TemporaryFile file(path);
  if (!file.valid()) return write_error(path, errno);
  if (const int error = file.write(content, mode); error != 0) return write_error(path, error);
  if (const int error = file.replace(path); error != 0) return write_error(path, error);
  if (const int error = sync_folder(folder_of(path)); error != 0) return write_error(path, error);
  return {};
}

Result<> write_secret_file(const std::string& path, ByteView content) {
  return write_file_atomically(path, content, 0600);
}

Result<> create_file(const std::string& path, ByteView content, mode_t mode) {
  TemporaryFile file(path);
  if (!file.valid()) return write_error(path, errno);
  if (const int error = file.write(content, mode); error != 0) return write_error(path, error);
  if (const int error = file.put_where_nothing_is(path); error != 0) {
    if (error == EEXIST) return fail_with(fmt::format("{} exists already", path));
    return write_error(path, error);
  }
  if (const int error = sync_folder(folder_of(path)); error != 0) return write_error(path, error);
  return {};
}

Result<SecretBuffer> read_secret_file(const std::string& path, std::size_t bytes_max) {
  struct stat info{};
  const Descriptor descriptor = TRY(open_regular(path, info));
  if ((info.st_mode & 077) != 0) {
    return fail_with(fmt::format(
        "{} holds a secret but others may read or change it (mode {:04o}): run `chmod 600 {}`, and "
        "make new keys if others may have read it",
        path, info.st_mode & 07777, path));
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return fail_with(fmt::format("{} belongs to another user (uid {}): run `chown {} {}`", path,
                                 info.st_uid, ::geteuid(), path));
  }
  SecretBuffer result(TRY(bounded_size(info, path, bytes_max)));
  TRY(read_exactly(descriptor.get(), path, result.expose_mutable()));
  return result;
}

Result<ByteVector> read_file(const std::string& path, std::size_t bytes_max) {
  struct stat info{};
  const Descriptor descriptor = TRY(open_regular(path, info));
  ByteVector result(TRY(bounded_size(info, path, bytes_max)));
  TRY(read_exactly(descriptor.get(), path, result));
  return result;
}

bool file_exists(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0;
}

Result<> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return fail_with_errno("cannot remove " + path, errno);
  }
  if (const int error = sync_folder(folder_of(path)); error != 0) return write_error(path, error);
  return {};
}

}  // namespace trellis::system
