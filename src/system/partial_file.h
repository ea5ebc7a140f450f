#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstddef>
#include <string>

namespace trellis::system {

/// Makes `path` (0600) end at `offset`, and appends `piece`. Nothing is synced: what a power cut
/// leaves of it has to be checked. On failure, also where the file has not so many bytes, there is
/// no file.
Result<> write_part(const std::string& path, std::size_t offset, ByteView piece);

}  // namespace trellis::system
