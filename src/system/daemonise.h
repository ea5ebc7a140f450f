#pragma once

#include "base/result.h"
#include "system/descriptor.h"

namespace trellis::system {

/// A process on its way into the background: the program was started by somebody who waits to learn
/// whether it works.
class Daemon {
 public:
  /// Splits off a child, in which alone this returns; call it first, while there is one thread and
  /// nothing is open. The parent stays until the child is ready, and then exits with status 0; if
  /// the child ends before, with the child's status. Until then the child writes to the terminal.
  static Result<Daemon> start();

  enum class Errors { Keep, Discard };

  /// Lets the parent go and leaves the terminal. With Errors::Keep standard error stays where it
  /// is, for logs.
  void ready(Errors errors);

 private:
  explicit Daemon(Descriptor parent) : parent_(std::move(parent)) {}

  Descriptor parent_;
};

}  // namespace trellis::system
