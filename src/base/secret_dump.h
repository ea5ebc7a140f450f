#pragma once

#include "base/bytes.h"

#include <string_view>

namespace trellis {

#ifdef TRELLIS_DUMP_SECRETS
// A test build only (cmake -DTRELLIS_DUMP_SECRETS=ON): tests/adversary gives a recorder of packets
// the secrets that a quantum computer would find, to show what it still cannot read.

using SecretDump = void (*)(std::string_view kind, ByteView secret);
void set_secret_dump(SecretDump dump);
/// Kinds: "x25519-private", "preshared-key".
void dump_secret(std::string_view kind, ByteView secret);
#else
inline void dump_secret(std::string_view, ByteView) {}
#endif

}  // namespace trellis
