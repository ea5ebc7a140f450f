#include "system/random.h"

#include "base/result.h"

#include <sys/random.h>

#include <cerrno>

namespace trellis::system {

void SystemRandom::fill(MutableByteView target) {
  while (!target.empty()) {
    const ssize_t n = ::getrandom(target.data(), target.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    CHECK(n > 0);  // without randomness nothing that we do is safe
    target = target.subspan(static_cast<std::size_t>(n));
  }
}

}  // namespace trellis::system
