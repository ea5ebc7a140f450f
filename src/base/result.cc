#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace trellis::internal {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, condition);
  std::abort();
}

}  // namespace trellis::internal
