#pragma once

#include "base/result.h"

#include <string_view>
#include <utility>

namespace trellis::system {

/// Owns a file descriptor and closes it.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { reset(); }

  int get() const { return number_; }
  bool valid() const { return number_ >= 0; }
  void reset();

 private:
  int number_ = -1;
};

/// "No such file or directory": what an errno means.
std::string errno_text(int number);

/// An error "WHAT: MEANING OF ERRNO".
tl::unexpected<Error> fail_with_errno(std::string_view what, int number);

}  // namespace trellis::system
