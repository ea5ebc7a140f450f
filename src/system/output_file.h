#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <sys/types.h>

#include <string>

namespace trellis::system {

/// Writes into the file that is there, or makes one of that mode: for places that another program
/// was given by name and keeps open or watches, devices and pipes among them. A reader never finds
/// the file empty where it held as many bytes before; a crash may leave old content.
Result<> write_in_place(const std::string& path, ByteView content, mode_t mode);

}  // namespace trellis::system
