#include "system/privileges.h"

#include "system/descriptor.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

namespace trellis::system {
namespace {

using Halves = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

/// What a program may get that is started later. Nothing to take away is no error.
Result<> shrink_bounding_set(std::span<const int> kept) {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (std::find(kept.begin(), kept.end(), capability) != kept.end()) continue;
    // EPERM: no CAP_SETPCAP. No program gets anything anyway, with PR_SET_NO_NEW_PRIVS.
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EPERM) {
      return fail_with_errno("cannot give up capabilities", errno);
    }
  }
  return {};
}

}  // namespace

Result<> keep_capabilities(std::span<const int> kept) {
  TRY(shrink_bounding_set(kept));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return fail_with_errno("cannot give up privileges", errno);
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  Halves halves{};
  if (::syscall(SYS_capget, &header, halves.data()) != 0) {
    return fail_with_errno("cannot read our capabilities", errno);
  }
  Halves wanted{};
  for (const int capability : kept) {
    const auto half = static_cast<std::size_t>(CAP_TO_INDEX(capability));
    wanted.at(half).permitted |= CAP_TO_MASK(capability) & halves.at(half).permitted;
  }
  for (auto& half : wanted) half.effective = half.permitted;
  if (::syscall(SYS_capset, &header, wanted.data()) != 0) {
    return fail_with_errno("cannot give up capabilities", errno);
  }
  return {};
}

}  // namespace trellis::system
