#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

#include <sys/types.h>

#include <cstddef>
#include <string>

namespace trellis::system {

// Files that must be whole or not there, and secrets that nobody else may read. Paths are used as
// they are; every error names the file.

/// Replaces `path` at once: a reader, or a crash at any moment, finds the old content or the new
/// one. On failure (full disk, say) the old file is as it was and nothing else is left behind. What
/// is written is on disk when this returns.
Result<> write_file_atomically(const std::string& path, ByteView content, mode_t mode);

/// write_file_atomically with mode 0600.
Result<> write_secret_file(const std::string& path, ByteView content);

/// As write_file_atomically, but fails if the file exists.
Result<> create_file(const std::string& path, ByteView content, mode_t mode);

/// A regular file that belongs to us or root and that only its owner may read.
Result<SecretBuffer> read_secret_file(const std::string& path, std::size_t bytes_max);

/// A regular file of at most `bytes_max` bytes.
Result<ByteVector> read_file(const std::string& path, std::size_t bytes_max);

/// False if there is nothing of that name.
bool file_exists(const std::string& path);

/// A removed file stays removed after a crash. One that is not there is no error.
Result<> remove_file(const std::string& path);

}  // namespace trellis::system
