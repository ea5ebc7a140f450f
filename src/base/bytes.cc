#include "base/bytes.h"

namespace trellis {

void zeroise(MutableByteView bytes) noexcept {
  if (bytes.empty()) return;
  std::memset(bytes.data(), 0, bytes.size());
  // The compiler must assume that this statement reads the zeros.
  __asm__ __volatile__("" : : "r"(bytes.data()) : "memory");
}

}  // namespace trellis
