#pragma once

#include "apps/rosenpass/config.h"
#include "base/result.h"
#include "protocol/rosenpass/key.h"

#include <optional>
#include <string>
#include <vector>

namespace trellis::rosenpass_program {

/// Gives a WireGuard peer its preshared key; the peer is added if the interface does not have it.
/// Through the control socket of a device in user space, else by wg(8). Takes milliseconds, five
/// seconds at most.
Result<> set_preshared_key(const WireGuardTarget& target, const rosenpass::OutputKey& key);

/// The same for any other program: it gets the key in base64 and a line feed as standard input.
Result<> run_key_command(const std::vector<std::string>& words, const rosenpass::OutputKey& key);

/// Where a device in user space listens for `wg`.
std::string control_socket_of(const std::string& device);

/// The request for the control socket, without the empty line at its end; nothing if the extra
/// words hold something that wg(8) alone understands. Holds the key.
std::optional<std::string> control_request(const WireGuardTarget& target,
                                           const rosenpass::OutputKey& key);

}  // namespace trellis::rosenpass_program
