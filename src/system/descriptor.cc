#include "system/descriptor.h"

#include <unistd.h>

#include <system_error>

namespace trellis::system {

void Descriptor::reset() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

std::string errno_text(int number) { return std::generic_category().message(number); }

tl::unexpected<Error> fail_with_errno(std::string_view what, int number) {
  return fail_with(std::string(what) + ": " + errno_text(number));
}

}  // namespace trellis::system
