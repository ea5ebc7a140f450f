#pragma once

#include "base/result.h"
#include "protocol/rosenpass/key.h"

#include <string>
#include <string_view>

namespace trellis::rosenpass_program {

/// Why a key was written: the exchange is done, or its key is 180 s old and a random one replaces
/// it.
enum class KeyReason { Exchanged, Stale };

/// What rosenpass prints on standard output for each key:
/// `output-key peer PID key-file "PATH" exchanged`, without its line feed.
std::string output_line(const rosenpass::PeerHash& pid, std::string_view path, KeyReason reason);

/// 44 characters of base64, and no line feed; a new file has mode 0600.
Result<> write_key_file(const std::string& path, const rosenpass::OutputKey& key);

}  // namespace trellis::rosenpass_program
