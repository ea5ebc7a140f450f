#include "system/limits.h"

#include "system/descriptor.h"

#include <sys/resource.h>
#include <sys/socket.h>

namespace trellis::system {

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);  // without it there is room for fewer connections
}

bool host_has_v6() { return Descriptor(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)).valid(); }

}  // namespace trellis::system
