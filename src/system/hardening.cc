#include "system/hardening.h"

#include "system/descriptor.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>

namespace trellis::system {

std::vector<std::string> harden_process() {
  std::vector<std::string> warnings;
  ::umask(077);
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    warnings.push_back(
        fmt::format("other processes of this user may read our memory: {}", errno_text(errno)));
  }
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) {
    warnings.push_back(fmt::format("a crash may write keys into a core file: {}; set `ulimit -c 0`",
                                   errno_text(errno)));
  }
  // Without CAP_IPC_LOCK a later allocation beyond the limit would fail, so the limit must be none.
  rlimit locked{};
  const bool limited =
      ::getrlimit(RLIMIT_MEMLOCK, &locked) != 0 || locked.rlim_cur != RLIM_INFINITY;
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  const bool may = !limited || ::setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0;
  if (!may || ::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
    warnings.push_back(
        fmt::format("memory cannot be locked, so keys of exchanges and sessions may be swapped to "
                    "disk ({}): run as root, set LimitMEMLOCK=infinity, or encrypt or "
                    "switch off swap",
                    errno_text(errno)));
  }
  return warnings;
}

}  // namespace trellis::system
