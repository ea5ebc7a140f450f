#include "system/partial_file.h"

#include "system/descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace trellis::system {
namespace {

Result<> write_at(int file, const std::string& path, std::size_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_with_errno("cannot write " + path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::size_t>(n);
  }
  return {};
}

Result<> append(const std::string& path, std::size_t offset, ByteView piece) {
  const Descriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  struct stat info{};
  if (!file.valid() || ::fstat(file.get(), &info) != 0) {
    return fail_with_errno("cannot write " + path, errno);
  }
  if (!S_ISREG(info.st_mode) || std::cmp_less(info.st_size, offset)) {
    return fail_with(path + " has lost what was written");
  }
  if (::ftruncate(file.get(), static_cast<off_t>(offset)) != 0) {
    return fail_with_errno("cannot write " + path, errno);
  }
  return write_at(file.get(), path, offset, piece);
}

}  // namespace

Result<> write_part(const std::string& path, std::size_t offset, ByteView piece) {
  auto written = append(path, offset, piece);
  if (!written) ::unlink(path.c_str());
  return written;
}

}  // namespace trellis::system
