#include "node/pair/timestamps.h"

#include <algorithm>

namespace trellis::pair {

wireguard::Tai64n Timestamps::next() {
  last_.nanoseconds_since_epoch =
      std::max(wall_.nanoseconds_since_epoch, last_.nanoseconds_since_epoch + 1);
  if (last_ >= reserved_) {
    reserved_.nanoseconds_since_epoch = last_.nanoseconds_since_epoch + kAhead.count();
  }
  return wireguard::Tai64n::from_unix(last_);
}

}  // namespace trellis::pair
