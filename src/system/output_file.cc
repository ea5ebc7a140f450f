#include "system/output_file.h"

#include "system/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace trellis::system {

Result<> write_in_place(const std::string& path, ByteView content, mode_t mode) {
  const Descriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode));
  if (!file.valid()) return fail_with_errno("cannot write " + path, errno);
  ByteView rest = content;
  while (!rest.empty()) {
    const ssize_t n = ::write(file.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_with_errno("cannot write " + path, errno);
    rest = rest.subspan(static_cast<std::size_t>(n));
  }
  // What is no ordinary file has no end to be cut off.
  if (::ftruncate(file.get(), static_cast<off_t>(content.size())) != 0 && errno != EINVAL) {
    return fail_with_errno("cannot write " + path, errno);
  }
  return {};
}

}  // namespace trellis::system
