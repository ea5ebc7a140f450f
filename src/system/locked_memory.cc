#include "system/locked_memory.h"

#include "system/descriptor.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace trellis::system {

Result<> lock_secret(ByteView secret) {
  if (secret.empty()) return {};
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<std::uintptr_t>(secret.data());
  const std::uintptr_t begin = first / page * page;
  const std::uintptr_t end = (first + secret.size() + page - 1) / page * page;
  std::byte* pages = const_cast<std::byte*>(secret.data()) - (first - begin);
  // No core file is written at all, see harden_process: this is for whoever switched that on again.
  static_cast<void>(::madvise(pages, end - begin, MADV_DONTDUMP));
  // Not by mlock(): the sanitizers let that do nothing, and say that it was done.
  if (::syscall(SYS_mlock, pages, end - begin) == 0) return {};
  return fail_with(
      fmt::format("a secret key cannot be locked in memory and may be swapped to disk ({}): run as "
                  "root, raise `ulimit -l` (LimitMEMLOCK=), or encrypt or switch off swap",
                  errno_text(errno)));
}

}  // namespace trellis::system
