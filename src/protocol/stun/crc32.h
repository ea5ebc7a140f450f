#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <initializer_list>

namespace trellis::stun {

/// CRC-32 as in ISO 3309 and zip, of the parts one after the other. [RFC 8489 14.7]
std::uint32_t crc32(std::initializer_list<ByteView> parts);

}  // namespace trellis::stun
