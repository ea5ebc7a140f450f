#pragma once

#include "base/result.h"
#include "crypto/keys.h"
#include "node/netmap/map.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::mesh {

/// What an agent remembers of its network, so that its pairs come up again while the server is
/// away. Losing it costs time only. No secret is in it.
struct Memory {
  static constexpr int kVersion = 1;
  static constexpr std::size_t kContactsMax = 32;       // of a peer
  static constexpr std::size_t kContactBytesMax = 512;  // of a line

  std::optional<crypto::PublicKey> server_key;  // whose map it is
  bool server_is_strict = false;
  std::optional<netmap::Map> map;
  /// The candidate lines that each peer offered last.
  std::map<crypto::PublicKey, std::vector<std::string>> contacts;
};

/// The form on disk: JSON.
std::string format_memory(const Memory& memory);

/// Fails, and says why, on anything but a whole file of a version that we know. Candidate lines are
/// checked by who reads them.
Result<Memory> parse_memory(std::string_view text, const crypto::PublicKey& own_key);

}  // namespace trellis::mesh
