#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace trellis::system {

/// Keeps the pages that hold `secret` out of swap and of core files, until they are unmapped: for
/// keys of years, where `harden_process` may not lock all memory. The secret must stay where it is
/// (moving a SecretBuffer leaves it there). The error says what to do.
Result<> lock_secret(ByteView secret);

}  // namespace trellis::system
