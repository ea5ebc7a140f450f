#pragma once

#include "apps/answer.h"

#include <string>
#include <vector>

namespace trellis::apps {

/// What `trellis up` makes of one status after another while a host joins: lines for people, and
/// whether it is over. Pure, so that every way to fail can be tried.
class JoinProgress {
 public:
  enum class Verdict {
    Running,
    Joined,   // the network map is in force
    Offline,  // an earlier map is in force, and the server cannot be reached; `why` says why
    Refused,  // it will not go on by itself; `why` says what to do
  };

  struct Update {
    std::string text;  // to be shown now; empty: nothing new
    Verdict verdict = Verdict::Running;
    std::string why;
  };

  /// On a terminal the line of a running step is drawn anew each time.
  enum class Output { Lines, Terminal };
  explicit JoinProgress(Output output) : output_(output) {}

  /// `status`: the object "status" of an answer (see network_lines.h).
  Update observe(const JsonValue& status);

  /// Why it is not done yet, for a caller who waits no longer.
  const std::string& last_error() const { return last_error_; }

 private:
  std::string step_lines(const JsonValue& steps);
  std::string error_line(const std::string& error);

  Output output_;
  std::size_t steps_shown_ = 0;  // steps that ended and whose line is complete
  std::string running_line_;     // drawn on the terminal, without an end of line
  std::string last_error_;
};

}  // namespace trellis::apps
