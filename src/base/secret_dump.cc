#include "base/secret_dump.h"

#ifdef TRELLIS_DUMP_SECRETS

namespace trellis {
namespace {
SecretDump g_dump = nullptr;
}

void set_secret_dump(SecretDump dump) { g_dump = dump; }

void dump_secret(std::string_view kind, ByteView secret) {
  if (g_dump) g_dump(kind, secret);
}

}  // namespace trellis

#endif
