#pragma once

#include <string>
#include <vector>

namespace trellis::system {

/// Keeps the secrets of this process off disks and away from other processes of the same user: no
/// core files, no ptrace, no swap, files 0600 by default. Call first thing in `main`, before keys
/// are read and threads are started. Returns what could not be had, each a sentence that says what
/// to do; it is for the owner of the machine to see, and no reason to stop.
///
/// Secrets lie on the ordinary heap and stack, so all memory is locked, pages as they are first
/// used. Where that may not be, `lock_secret` is for the few keys that live for years.
std::vector<std::string> harden_process();

}  // namespace trellis::system
