#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

#include <string>
#include <vector>

namespace trellis::system {

/// A program named `name` beside the running one, else in $PATH. Nothing of that name: an error.
Result<std::string> find_program(const std::string& name);

/// Runs a program to its end with no standard input and its standard output thrown away. `words`:
/// the program's path or name (looked for in $PATH) and its arguments. What it says on standard
/// error is added to `errors_file` (made with mode 0600), or goes to ours if that is empty. Returns
/// its exit status; 128 + number if a signal ended it. Blocks; for command lines only.
Result<int> run_program(const std::vector<std::string>& words, const std::string& errors_file = {});

/// Runs a program with `input` (at most 65536 bytes) as its standard input; its outputs are ours.
/// One that is not done by `timeout` is killed, and that is an error.
Result<int> run_program_with_input(const std::vector<std::string>& words, ByteView input,
                                   Duration timeout);

}  // namespace trellis::system
