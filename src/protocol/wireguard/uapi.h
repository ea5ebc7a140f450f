#pragma once

#include "base/time.h"
#include "protocol/wireguard/device.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::wireguard::uapi {

// The text protocol by which `wg` talks to devices in user space, over a Unix socket:
//
//   client:  get=1 \n \n                       device:  key=value \n ... errno=0 \n \n
//   client:  set=1 \n key=value \n ... \n      device:  errno=0 \n \n
//
// https://www.wireguard.com/xplatform/#configuration-protocol
//
// Ours: get=counters is answered with name=value for each thing that was dropped, and why.

/// The errno values that go out, negative as wireguard-go sends them.
enum class Errno : int {
  Ok = 0,
  NotPermitted = -1,  // EPERM
  InputOutput = -5,   // EIO
  Invalid = -22,      // EINVAL
  Protocol = -71,     // EPROTO
  PortInUse = -98,    // EADDRINUSE
};

/// No request is longer: room for thousands of peers with dozens of prefixes each.
constexpr std::size_t kRequestBytesMax = 4 << 20;
constexpr std::size_t kLineBytesMax = 512;

enum class Operation { Get, Set, GetCounters };
/// Of the first line of a request, without its line feed.
std::optional<Operation> parse_operation(std::string_view line);

/// What a device has that is not the engine's.
struct Interface {
  std::uint16_t listen_port = 0;
  std::uint32_t fwmark = 0;
};

/// What the caller has to do after `set`: bind the port, set the mark of its sockets.
struct Changes {
  std::optional<std::uint16_t> listen_port;
  std::optional<std::uint32_t> fwmark;
};

struct SetResult {
  Errno error = Errno::Ok;
  Changes changes;  // also those of the lines before an error
};

/// The answer to get=1, with errno and the empty line. Holds the private key: wipe it after use.
std::string get(const Device& device, const Interface& interface, TimePoint now, WallTime wall_now);

/// The answer to get=counters, with errno and the empty line. The caller's own counters go before
/// those: `others` are finished lines.
std::string get_counters(const Device& device, std::string_view others);

/// A preshared key that is new to a peer with a session is taken over at once, by a handshake. The
/// session goes on until there is one under the new key.
///
/// New peers begin with the zero preshared key, as plain WireGuard does.
///
/// `lines`: what follows "set=1\n", with or without the empty line at the end. Stops at the first
/// line that is wrong; what stood before it is done by then, as in other implementations.
SetResult set(Device& device, TimePoint now, std::string_view lines);

/// "errno=N\n\n".
std::string answer(Errno error);

}  // namespace trellis::wireguard::uapi
